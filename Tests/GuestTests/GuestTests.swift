import ArcaWire
import Testing

/// Boots the real guest in QEMU and plays its host; one machine at a time, since they are heavy.
@Suite(.serialized) struct GuestTests {}

/// Demands that `message` is the failure `code`.
func expectFailure(
  _ message: GuestMessage?, _ code: GuestFailure, _ location: SourceLocation = #_sourceLocation
) {
  guard case .failure(let found, let detail)? = message else {
    Issue.record("\(String(describing: message)) instead of a failure", sourceLocation: location)
    return
  }
  #expect(found == code, "\(String(decoding: detail, as: UTF8.self))", sourceLocation: location)
}
