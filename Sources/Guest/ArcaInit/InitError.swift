import ArcaBytes
import ArcaManifest
import ArcaWire

/// Why the workload was not run to its end; what the host is told before the machine powers off.
struct InitError: Error {
  let failure: GuestFailure
  /// What failed, and the errno where a system call did.
  let detail: Text

  init(_ failure: GuestFailure, _ detail: Text) {
    self.failure = failure
    self.detail = detail
  }

  /// Sent as what became of the workload, or of a session beside it.
  var message: GuestMessage { .failure(failure, detail: detail.utf8) }

  /// A message that the start does not wait for.
  static var order: InitError { InitError(.wire, "a message came out of order") }

  /// The host closed the channel: there is nobody left to tell.
  static var hostLeft: InitError { InitError(.wire, "the host closed the channel") }
}

/// Runs `body` and names its failure.
func step<Value>(
  _ failure: GuestFailure, _ what: Text, _ body: () throws(SystemError) -> Value
) throws(InitError) -> Value {
  do { return try body() } catch { throw error.named(failure, what) }
}

/// Names the failure of one call.
@discardableResult
func attempt<Value>(
  _ failure: GuestFailure, _ what: Text, _ call: @autoclosure () throws(SystemError) -> Value
) throws(InitError) -> Value {
  do { return try call() } catch { throw error.named(failure, what) }
}

/// Reads a document of the host's, or applies one; what is wrong with it is said by its fields.
func attempt<Value>(
  _ failure: GuestFailure, _ call: @autoclosure () throws(ManifestError) -> Value
) throws(InitError) -> Value {
  do { return try call() } catch { throw InitError(failure, "\(error.field)") }
}

/// Takes what came over the channel, and names the frame that is refused.
@discardableResult
func onWire<Value>(
  _ call: @autoclosure () throws(WireError) -> Value
) throws(InitError) -> Value {
  do { return try call() } catch {
    throw InitError(
      .wire, "channel \(error.channel), type \(error.type): \(error.code.rawValue)")
  }
}

/// The errno of a system call that failed.
struct SystemError: Error {
  let errno: Int32

  /// The failure that this amounts to in a step named `what`.
  func named(_ failure: GuestFailure, _ what: Text) -> InitError {
    InitError(failure, "\(what): errno \(errno)")
  }
}
