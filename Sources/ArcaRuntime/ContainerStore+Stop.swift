import ArcaTEE
import CArcaHost
import Foundation

extension ContainerStore {
  /// Asks the workload to stop by the manifest's stop signal, and ends it after the timeout.
  public func stop(_ container: Container, timeoutSeconds: Int) throws(RuntimeError) {
    guard container.state != .exited else { return }
    if let pid = container.supervisor {
      // A descriptor stands for the process even where its number is used again.
      let process = arca_pidfd_open(pid)
      if process >= 0 {
        defer { close(process) }
        _ = arca_pidfd_send_signal(process, Int32(container.record.stopSignal))
        try waitForEnd(of: process, timeoutSeconds)
      }
    }
    try kill(container)
  }

  /// Ends a container at once; one that has ended is left as it is.
  public func kill(_ container: Container) throws(RuntimeError) {
    guard container.state != .exited else { return }
    try OCIRuntime(installation).kill(container.record.id)
    if let pid = container.supervisor {
      let process = arca_pidfd_open(pid)
      if process >= 0 {
        defer { close(process) }
        try waitForEnd(of: process, 30)
      }
    }
    try sweep()
  }

  private func waitForEnd(of process: Int32, _ timeoutSeconds: Int) throws(RuntimeError) {
    var waits = [pollfd(fd: process, events: Int16(POLLIN), revents: 0)]
    do {
      let milliseconds = Int32(clamping: timeoutSeconds * 1000)
      try System.poll(&waits, timeoutMilliseconds: milliseconds)
    } catch {
      throw RuntimeError(error)
    }
  }
}
