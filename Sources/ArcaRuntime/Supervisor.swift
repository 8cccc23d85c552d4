import ArcaTEE
import Foundation
import TEEAttestation

/// Looks after one container from its start to its end; dies, and the workload with it, or returns.
public struct Supervisor {
  private let container: Container
  private let installation: Installation

  /// A supervisor for `container`, whose lock this process holds.
  init(_ container: Container, _ installation: Installation) {
    self.container = container
    self.installation = installation
  }

  /// Runs the container with the caller's standard streams.
  ///
  /// - Parameters:
  ///   - signals: Taken before the call, so that none that comes early is lost.
  ///   - onStarted: Called once the workload runs.
  /// - Returns: how it ended.
  /// - Throws: where the runtime cannot be executed or the state not be written.
  func run(
    signals: SignalSource, onStarted: () -> Void
  ) throws(RuntimeError) -> LaunchStatus {
    let terminal = Terminal(0)
    defer { terminal?.restore() }
    let runtime = try OCIRuntime(installation)
    let log = container.folder + "/oci.log"
    let line: (ours: Int32, theirs: Int32)
    let pid: Int32
    do {
      line = try System.socketPair()
      try System.replace(
        container.folder + "/supervisor", with: Array(String(getpid()).utf8))
      defer { close(line.theirs) }
      pid = try runtime.run(
        container.record.id, bundle: container.folder, log: log,
        descriptors: [0, 1, 2, line.theirs])
    } catch let error as RuntimeError {
      throw error
    } catch let error as TEEError {
      throw RuntimeError(error)
    } catch {
      throw RuntimeError(.state, "\(error)")
    }
    defer { close(line.ours) }
    let exitStatus = try relay(signals, line.ours, pid, onStarted)
    try runtime.remove(container.record.id)
    let status = try final(exitStatus, log)
    try container.finish(status)
    return status
  }

  /// Passes signals to the launcher, a byte each, until the runtime's process has ended.
  private func relay(
    _ signals: SignalSource, _ line: Int32, _ pid: Int32, _ onStarted: () -> Void
  ) throws(RuntimeError) -> Int32 {
    var isStarted = false
    var isOpen = true
    var buffer: [UInt8] = []
    do {
      while true {
        var waits = [
          pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
          pollfd(fd: isOpen ? line : -1, events: Int16(POLLIN), revents: 0),
        ]
        try System.poll(&waits, timeoutMilliseconds: -1)
        while let signal = signals.next() {
          if Int32(signal) != SIGCHLD, isOpen {
            _ = try System.write(line, [signal], from: 0, max: 1)
          }
        }
        if let exitStatus = System.reap(pid) { return exitStatus }
        if waits[1].revents != 0 {
          if case .end = try System.read(line, into: &buffer, max: 64) { isOpen = false }
          if buffer.contains(SupervisorLine.wantsConnection),
            let endpoint = BrokerEndpoint(parsing: container.record.keyBroker)
          {
            System.connect(endpoint, answeringOver: line)
          }
          if !isStarted {
            try LaunchBroker.judge(
              in: container.folder, digest: container.status?.measurement ?? [])
          }
          if !isStarted, let state = container.status?.state, state == .running || state == .exited
          {
            isStarted = true
            try keepEvidence()
            onStarted()
          }
        }
      }
    } catch let error as TEEError {
      throw RuntimeError(error)
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(error)")
    }
  }

  private func keepEvidence() throws(RuntimeError) {
    let path = container.record.evidencePath
    guard !path.isEmpty else { return }
    do {
      let isBefore = container.record.tee.format == .launchMeasurement
      let source = "\(container.folder)/run/\(isBefore ? SEVLaunchControl.recordName : "evidence")"
      let evidence = try System.contents(source, max: 1 << 20)
      try installation.refreshSimulatedCollateral(for: container.record.tee)
      try System.replace(path, with: evidence)
      let log = container.folder + "/run/event-log"
      if isAccessible(log, R_OK) {
        try System.replace(path + ".ccel", with: try System.contents(log, max: 1 << 20))
      }
    } catch let error as TEEError {
      throw RuntimeError(error)
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(error)")
    }
  }

  /// How it ended: what the launcher wrote, or what its silence means.
  private func final(_ exitStatus: Int32, _ log: String) throws(RuntimeError) -> LaunchStatus {
    var status = container.status ?? LaunchStatus()
    if status.state == .exited || status.state == .failed { return status }
    let wasBegun = container.status != nil
    status.state = .failed
    if wasBegun {
      // As a shell says it: 128 + n for a launcher that signal n ended.
      status.exitStatus = UInt8(truncatingIfNeeded: exitStatus)
      status.error = TEEError(
        .vmm,
        "the outer container ended before the workload did (exit status \(exitStatus)); "
          + "something killed the launcher or QEMU")
    } else {
      let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
      status.exitStatus = 125
      status.error = TEEError(
        .vmm,
        "the OCI runtime could not run the outer container (exit status \(exitStatus)): "
          + printable(text.utf8))
    }
    return status
  }
}
