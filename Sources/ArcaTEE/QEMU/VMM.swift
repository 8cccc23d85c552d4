import ArcaWire
import CArcaHost
import Glibc

/// A running QEMU or enclave: the launcher's ends of its channel and console, and its process.
package struct VMM {
  let pid: Int32
  let channel: Int32
  /// The serial console and QEMU's own standard output and error; -1 where there is no machine.
  let console: Int32
  /// QEMU's monitor, where the launch waits for its owner.
  let monitor: Int32?

  /// Executes QEMU and what serves it folders, all of which die with the caller.
  init(_ options: QEMUOptions) throws(TEEError) {
    let (channel, channelInside) = try System.socketPair()
    let (console, consoleInside) = try System.socketPair()
    let monitors = options.waitsForOwner ? try System.socketPair() : nil
    defer {
      if let monitors { close(monitors.1) }
      close(channelInside)
      close(consoleInside)
    }
    for index in 0..<options.folders { try FolderServer.start(index, log: consoleInside) }
    do {
      pid = try System.spawn(
        options.arguments, environment: ["PATH=/usr/bin", "LC_ALL=C"],
        descriptors: [-1, consoleInside, consoleInside, channelInside, consoleInside]
          + (monitors.map { [$0.1] } ?? []),
        flags: Int(ARCA_SPAWN_DIE_WITH_PARENT) | Int(ARCA_SPAWN_WITHOUT_CAPABILITIES))
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

  /// Has Gramine build the enclave and run `arca-init` in it, and waits for that to connect, since
  /// Gramine hands on no descriptors.
  ///
  /// - Throws: ``TEEError/Code/vmm`` where Gramine ended before, or `isGivenUp` says so.
  init(
    gramineFor kind: LaunchKind, passesInput: Bool, isGivenUp: () -> Bool
  ) throws(TEEError) {
    let listener = try System.listen(loopback: Wire.enclavePort)
    defer { close(listener) }
    pid = try System.spawn(
      Self.gramineArguments(kind), environment: [],
      descriptors: [passesInput ? 0 : -1, 1, 2], flags: Int(ARCA_SPAWN_DIE_WITH_PARENT))
    console = -1
    monitor = nil
    let clock = ProgressClock(pid: pid)
    var waits = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
    while waits[0].revents == 0 {
      try System.poll(&waits, timeoutMilliseconds: 50)
      if let status = System.reap(pid) {
        throw TEEError(
          .vmm,
          "Gramine ended before arca-init ran (exit status \(status)): \(Self.gramineSays())")
      }
      guard !isGivenUp(), !clock.isExpired else {
        Glibc.kill(pid, SIGKILL)
        throw TEEError(.startTimeout, "Gramine did not come to arca-init: \(Self.gramineSays())")
      }
    }
    channel = try System.accept(listener)
  }

  /// What starts an enclave of `kind`: Gramine's loader, what it loads, and the name of the files
  /// with manifest and SIGSTRUCT, without their suffixes.
  package static func gramineArguments(_ kind: LaunchKind) -> [String] {
    let parts = GramineParts(kind)
    return [
      "\(OuterPath.gramine)/\(parts.loader)", "\(OuterPath.gramine)/\(parts.platform)", "init",
      OuterPath.enclaveManifest,
    ]
  }

  /// The last lines of Gramine's log, or that there are none.
  static func gramineSays() -> String {
    var tail = ConsoleTail()
    let log = try? System.contents(OuterPath.gramineLog, max: 1 << 20)
    for line in (log ?? []).split(separator: UInt8(ascii: "\n")) {
      // Of every program that does not call Gramine's own C library.
      if line.starts(with: Array("Emulating a raw".utf8)) { continue }
      tail.append(line + [UInt8(ascii: "\n")])
    }
    let text = tail.last(5)
    return text.isEmpty ? "it said nothing" : text
  }

  func kill() {
    Glibc.kill(pid, SIGKILL)
  }
}
