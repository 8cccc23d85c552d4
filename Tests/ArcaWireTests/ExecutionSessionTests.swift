import ArcaBytes
import ArcaWire
import Testing

@Suite struct ExecutionSessionTests {
  private func bytes(_ frame: Frame) -> [UInt8] {
    var writer = ByteWriter()
    frame.write(to: &writer)
    return writer.bytes
  }

  private func decoded(_ bytes: [UInt8]) throws -> Frame {
    var decoder = FrameDecoder()
    decoder.append(bytes)
    return try #require(try decoder.next())
  }

  @Test func theFourthByteIsTheSession() throws {
    let message = HostMessage.toSession(9, .execute([0xa0]))
    let wire = bytes(message.frame)
    #expect(wire == [1, 0, 7, 9, 1, 0, 0, 0, 0xa0])
    guard case .toSession(9, .execute([0xa0])) = try HostMessage(try decoded(wire)) else {
      Issue.record("another message came back")
      return
    }
    let exit = bytes(GuestMessage.ofSession(255, .exit(7)).frame)
    guard case .ofSession(255, .exit(7)) = try GuestMessage(try decoded(exit)) else {
      Issue.record("another message came back")
      return
    }
  }

  @Test(arguments: [UInt8(1), 2, 3, 4])
  func whatConcernsTheWholeGuestHasNoSession(type: UInt8) throws {
    let payload: [UInt8] = type == 3 ? [] : [0xa0]
    var frame = Frame(.control, type, payload)
    frame.session = 1
    #expect(code { try HostMessage(frame) } == .reserved)
  }

  @Test func aProgramIsAskedForInASessionOnly() {
    #expect(code { try HostMessage(Frame(.control, 7, [0xa0])) } == .reserved)
    var ready = Frame(.control, 1)
    ready.session = 3
    #expect(code { try GuestMessage(ready) } == .reserved)
  }

  @Test func noProgramRunsBesideOneThatHasNotStarted() {
    var order = HostMessageOrder()
    #expect(code { try order.accept(.toSession(1, .execute([]))) } == .order)
  }

  @Test func aSessionHasACreditOfItsOwn() throws {
    var order = HostMessageOrder.running
    for _ in 0..<8 {
      try order.accept(.input([UInt8](repeating: 0, count: Wire.streamBytesMax)))
    }
    #expect(code { try order.accept(.input([0])) } == .credit)
    order.grantInput(1)
    #expect(code { try order.accept(.input([0])) } == nil)
  }

  private func code(_ body: () throws -> some Any) -> WireError.Code? {
    do {
      _ = try body()
      return nil
    } catch {
      return (error as? WireError)?.code
    }
  }
}
