import CArcaHost
import Glibc

/// A running QEMU or enclave: the launcher's ends of its channel and console, and its process.
struct VMM {
  let pid: Int32
  let channel: Int32
  /// The serial console and QEMU's own standard output and error; -1 where there is no machine.
  let console: Int32
  /// QEMU's monitor, where the launch waits for its owner.
  let monitor: Int32?

  /// Executes QEMU, which dies with the caller.
  init(_ options: QEMUOptions) throws(TEEError) {
    let (channel, channelInside) = try System.socketPair()
    let (console, consoleInside) = try System.socketPair()
    let monitors = options.waitsForOwner ? try System.socketPair() : nil
    defer {
      if let monitors { close(monitors.1) }
      close(channelInside)
      close(consoleInside)
    }
    do {
      pid = try System.spawn(
        options.arguments, environment: ["PATH=/usr/bin", "LC_ALL=C"],
        descriptors: [-1, consoleInside, consoleInside, channelInside, consoleInside]
          + (monitors.map { [$0.1] } ?? []),
        flags: Int(ARCA_SPAWN_DIE_WITH_PARENT))
    } catch {
      throw TEEError(.vmm, "QEMU: \(error.detail)", systemError: error.systemError)
    }
    self.channel = channel
    self.console = console
    monitor = monitors?.0
  }

  /// Executes arca-init in the workload's root, as what stands in for an enclave.
  ///
  /// Its standard streams are the caller's own, since the workload takes the program's place.
  init(enclaveWith environment: [String], passesInput: Bool) throws(TEEError) {
    let (channel, inside) = try System.socketPair()
    defer { close(inside) }
    pid = try System.spawn(
      [OuterPath.enclaveProgram], environment: environment,
      descriptors: [passesInput ? 0 : -1, 1, 2, inside],
      flags: Int(ARCA_SPAWN_DIE_WITH_PARENT), root: OuterPath.enclaveRoot)
    self.channel = channel
    console = -1
    monitor = nil
  }

  func kill() {
    Glibc.kill(pid, SIGKILL)
  }
}
