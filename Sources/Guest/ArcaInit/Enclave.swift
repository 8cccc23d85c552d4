import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// arca-init as the first program of an enclave, or of what stands in for one.
///
/// There is no kernel of its own to set up: the root is the workload's already, each of its files
/// is checked by whoever opens it, and the workload takes this program's place.
enum Enclave {
  static func run(kind: [UInt8]) {
    // The line to the host, which `execve` closes. Gramine hands on no descriptors of its own.
    let isInherited = (try? System.dontBlock(3)) != nil
    guard let line = isInherited ? 3 : try? System.connect(port: Wire.enclavePort),
      (try? System.dontBlock(line)) != nil, (try? System.closeOnExecute(from: 3)) != nil
    else { return }
    let channel = Channel(line: line)
    channel.send(.ready)
    do throws(InitError) {
      throw try becomeWorkload(channel, kind: kind)
    } catch {
      channel.send(error.message)
    }
    channel.finish()
  }

  /// Returns only where the program could not be executed.
  private static func becomeWorkload(
    _ channel: Channel, kind: [UInt8]
  ) throws(InitError) -> InitError {
    let order = try Order(over: channel, kind: kind)
    var manifest = order.manifest
    let needs: [(Text, GuestFailure, Bool)] = [
      ("rootFilesystem.encryptionKey", .manifest, manifest.rootFilesystem.encryptionKey != nil),
      ("volumes", .manifest, !manifest.volumes.isEmpty),
      ("pod", .manifest, manifest.pod != nil),
      ("workloadMay", .manifest, !manifest.workloadMay.allowsNothing),
      ("terminal", .hostInput, order.input.terminal != nil),
      ("network", .hostInput, order.input.network != nil),
      ("files", .hostInput, !order.input.files.isEmpty),
      ("folders", .hostInput, !order.input.folders.isEmpty),
    ]
    for (name, failure, isNeeded) in needs where isNeeded {
      throw InitError(failure, "\(name): an enclave has no kernel of its own to serve it")
    }
    var secrets = try Secrets(for: manifest, from: order.broker, over: channel)
    try secrets.place(into: &manifest, isEnclave: true)
    channel.send(.started)
    do { try channel.drain() } catch { throw .hostLeft }
    try Workload.assume(manifest.process)
    return Command.execute(manifest.process)
  }
}
