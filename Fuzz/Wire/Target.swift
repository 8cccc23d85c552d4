import ArcaBytes
import ArcaWire

/// The guest's view of a host that sends anything, cut at a place that the first byte names.
///
/// What is accepted is written as it was, and a refusal never depends on the cut.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzWire(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard let first = bytes.first else { return 0 }
  let stream = Array(bytes.dropFirst())
  let whole = accepted(stream, cutAt: stream.count)
  let cut = accepted(stream, cutAt: Int(first) % (stream.count + 1))
  precondition(whole == cut)
  precondition(stream.starts(with: whole))
  return 0
}

/// The bytes of the frames that were accepted before the first refusal.
private func accepted(_ stream: [UInt8], cutAt place: Int) -> [UInt8] {
  var decoder = FrameDecoder()
  var order = HostMessageOrder()
  var credit = StreamCredit()
  var writer = ByteWriter()
  for piece in [stream[..<place], stream[place...]] {
    decoder.append(piece)
    do {
      while let frame = try decoder.next() {
        let message = try HostMessage(frame)
        try order.accept(message)
        if case .manifest = message { order.awaitsEvidence = true }
        // As a guest would that wants a connection whenever there is none.
        if order.relay.hostHasEnded { _ = order.relay.endByGuest() }
        _ = order.relay.open()
        if case .credit(let channel, let bytes) = message {
          credit.spend(4096)
          try credit.add(bytes, on: channel)
        }
        message.frame.write(to: &writer)
      }
    } catch {
      return writer.bytes
    }
  }
  return writer.bytes
}
