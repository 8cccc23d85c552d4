import CArcaHost
import Glibc

/// The signals that reach this process, read from a descriptor instead of interrupting it.
package struct SignalSource: Sendable {
  /// Every signal that can be passed on to a workload (Linux numbering).
  ///
  /// Not among them: SIGKILL (9) and SIGSTOP (19), which cannot be caught; SIGCHLD (17), SIGPIPE
  /// (13) and SIGWINCH (28), which concern the process itself; 4, 5, 7, 8, 11 and 31, which the
  /// processor raises; 20, 21 and 22, which stop a job in the terminal; 32 and 33, which belong to
  /// the C library.
  package static let forwardable: [UInt8] = (1...64).filter {
    ![4, 5, 7, 8, 9, 11, 13, 17, 19, 20, 21, 22, 28, 31, 32, 33].contains($0)
  }

  /// The descriptor to wait on.
  package let descriptor: Int32

  /// Blocks the forwardable signals, SIGCHLD and SIGWINCH; SIGPIPE is ignored.
  package init() throws(TEEError) {
    let mask = (Self.forwardable + [17, 28]).reduce(UInt64(0)) { $0 | 1 << UInt64($1 - 1) }
    let result = arca_signalfd(mask)
    guard result >= 0 else { throw TEEError(.system, "signalfd", systemError: -result) }
    descriptor = result
    ignoreBrokenPipes()
  }

  /// The next signal that has come, or nil.
  package func next() -> UInt8? {
    let number = arca_signalfd_next(descriptor)
    return number > 0 ? UInt8(truncatingIfNeeded: number) : nil
  }
}
