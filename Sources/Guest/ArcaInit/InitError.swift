import ArcaWire

/// Why the workload was not run to its end; what the host is told before the machine powers off.
struct InitError: Error {
  let failure: GuestFailure
  /// UTF-8: what failed, and the errno where a system call did.
  let detail: [UInt8]

  init(_ failure: GuestFailure, _ detail: String) {
    self.init(failure, Array(detail.utf8))
  }

  init(_ failure: GuestFailure, _ detail: [UInt8]) {
    self.failure = failure
    self.detail = detail
  }
}

/// Runs `body` and names its failure.
func step<Value>(
  _ failure: GuestFailure, _ what: String, _ body: () throws(SystemError) -> Value
) throws(InitError) -> Value {
  do {
    return try body()
  } catch {
    throw error.named(failure, what)
  }
}

/// Names the failure of a system call in C, whose result is below zero.
func step(_ failure: GuestFailure, _ what: String, _ result: Int32) throws(InitError) {
  try step(failure, what) { () throws(SystemError) in _ = try System.check(result) }
}

/// The errno of a system call that failed.
struct SystemError: Error {
  /// The host has closed its end of the channel.
  static let hostLeft = SystemError(errno: 32)
  static let notFound: Int32 = 2
  static let io: Int32 = 5
  static let again: Int32 = 11
  static let accessDenied: Int32 = 13
  static let exists: Int32 = 17
  static let notFolder: Int32 = 20

  let errno: Int32

  /// The failure that this amounts to in a step named `what`.
  func named(_ failure: GuestFailure, _ what: String) -> InitError {
    InitError(failure, "\(what): errno \(errno)")
  }
}
