import ArcaWire
import Testing

/// The relayed connection, as both ends keep it.
@Suite struct RelayOrderTests {
  static func open() -> RelayOrder {
    var relay = RelayOrder()
    _ = relay.open()
    _ = relay.answer(isOpen: true)
    return relay
  }

  @Test func oneConnectionAfterAnother() {
    var relay = RelayOrder()
    for _ in 0..<3 {
      let opening = [relay.open(), relay.open(), relay.answer(isOpen: true)]
      let twice = relay.answer(isOpen: true)
      let ending = [relay.endByHost(), relay.endByHost(), relay.open(), relay.endByGuest()]
      let after = relay.endByGuest()
      #expect(opening == [true, false, true])
      #expect(ending == [true, false, false, true])
      #expect(!twice && !after)
      #expect(relay.phase == .closed)
    }
    let failing = [relay.open(), relay.answer(isOpen: false)]
    #expect(failing == [true, true])
    #expect(relay.phase == .closed)
  }

  @Test func nothingGoesWithoutAConnection() {
    var relay = RelayOrder()
    let allowed = [
      relay.answer(isOpen: true), relay.endByGuest(), relay.endByHost(), relay.add(1),
    ]
    #expect(allowed == [false, false, false, false])
    let grant = relay.consume(Int(Wire.windowBytes))
    #expect(grant == nil)
  }

  @Test func bytesStayWithinTheirCredit() {
    var relay = Self.open()
    let window = Int(Wire.windowBytes)
    let early = relay.add(1)
    relay.spend(10)
    let sending = [relay.add(11), relay.add(10)]
    #expect(!early)
    #expect(sending == [false, true])
    let receiving = [relay.receive(window), relay.receive(1)]
    let grant = relay.consume(window / 4)
    let more = [relay.receive(window / 4), relay.receive(1)]
    #expect(receiving == [true, false])
    #expect(grant == Wire.windowBytes / 4)
    #expect(more == [true, false])
    // A new connection starts with whole windows.
    let anew = [
      relay.endByHost(), relay.endByGuest(), relay.open(), relay.answer(isOpen: true),
      relay.receive(window),
    ]
    #expect(anew == [true, true, true, true, true])
    #expect(relay.credit.bytes == Wire.windowBytes)
  }

  @Test(arguments: [
    HostMessage.brokerOpened, .brokerFailed([]), .brokerData([1]), .brokerEnd,
    .credit(.keyBroker, 1),
  ])
  func theHostSaysNothingUnasked(_ message: HostMessage) throws {
    var order = try SessionTests.order(after: 3)
    let frame = message.frame
    #expect(throws: WireError(.order, channel: frame.channel.rawValue, type: frame.type)) {
      try order.accept(message)
    }
  }

  @Test func messagesComeBackAsTheyWere() throws {
    for message in [
      GuestMessage.brokerOpen(host: Array("h".utf8), port: 0xabcd), .brokerData([1, 2]),
      .brokerEnd, .brokerCredit(7),
    ] {
      let again = try GuestMessage(message.frame)
      #expect(again.frame.payload == message.frame.payload)
      #expect(again.frame.type == message.frame.type)
    }
    guard
      case .brokerOpen(let host, let port) = try GuestMessage(
        GuestMessage.brokerOpen(host: Array("h".utf8), port: 0xabcd).frame)
    else {
      Issue.record("another message")
      return
    }
    #expect(host == Array("h".utf8) && port == 0xabcd)
    for frame in [
      Frame(.keyBroker, 4, [1, 2]), Frame(.keyBroker, 4, [UInt8](repeating: 65, count: 256)),
      Frame(.keyBroker, 1), Frame(.keyBroker, 2, [1]), Frame(.keyBroker, 5),
    ] {
      #expect(throws: WireError.self) { try GuestMessage(frame) }
    }
  }
}
