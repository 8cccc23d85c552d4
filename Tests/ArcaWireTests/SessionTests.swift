import ArcaWire
import Testing

@Suite struct SessionTests {
  static let opening: [HostMessage] = [.manifest([]), .hostInput([]), .start]

  /// The order after `count` messages of a right opening.
  static func order(after count: Int) throws -> HostMessageOrder {
    var order = HostMessageOrder()
    for message in opening.prefix(count) { try order.accept(message) }
    return order
  }

  @Test func aWholeSessionPasses() throws {
    var order = try Self.order(after: 3)
    for message in [
      HostMessage.input([1]), .signal(1), .windowSize(rows: 0, columns: 0),
      .credit(.standardOutput, 1), .inputEnd, .signal(64),
    ] {
      try order.accept(message)
    }
  }

  @Test(arguments: [
    (0, HostMessage.hostInput([])), (0, .start), (0, .signal(15)), (0, .evidence([])),
    (0, .input([1])), (0, .inputEnd), (0, .credit(.standardOutput, 1)),
    (1, .manifest([])), (1, .start), (1, .evidence([])), (2, .hostInput([])), (2, .input([1])),
    (2, .windowSize(rows: 1, columns: 1)), (3, .start), (3, .manifest([])), (3, .hostInput([])),
    (3, .evidence([])),
  ])
  func outOfOrderIsRefused(_ after: Int, _ message: HostMessage) throws {
    var order = try Self.order(after: after)
    let frame = message.frame
    #expect(throws: WireError(.order, channel: frame.channel.rawValue, type: frame.type)) {
      try order.accept(message)
    }
  }

  @Test func evidenceIsTakenOnceForEachRequest() throws {
    var order = try Self.order(after: 1)
    order.awaitsEvidence = true
    try order.accept(.evidence([]))
    #expect(throws: WireError(.order, channel: 0, type: 4)) { try order.accept(.evidence([])) }
  }

  @Test func inputAfterItsEndIsRefused() throws {
    var order = try Self.order(after: 3)
    try order.accept(.inputEnd)
    #expect(throws: WireError(.order, channel: 1, type: 1)) { try order.accept(.input([1])) }
    #expect(throws: WireError(.order, channel: 1, type: 2)) { try order.accept(.inputEnd) }
  }

  @Test func inputStaysWithinItsCredit() throws {
    var order = try Self.order(after: 3)
    let piece = [UInt8](repeating: 0, count: Wire.streamBytesMax)
    for _ in 0..<Int(Wire.windowBytes) / piece.count { try order.accept(.input(piece)) }
    #expect(throws: WireError(.credit, channel: 1, type: 1)) { try order.accept(.input([0])) }
    order.grantInput(1)
    try order.accept(.input([0]))
    #expect(throws: WireError(.credit, channel: 1, type: 1)) { try order.accept(.input([0])) }
  }

  @Test func creditNeverPassesTheWindow() throws {
    var credit = StreamCredit()
    #expect(throws: WireError(.credit, channel: 2, type: 3)) {
      try credit.add(1, on: .standardOutput)
    }
    credit.spend(10)
    try credit.add(10, on: .standardOutput)
    #expect(credit.bytes == Wire.windowBytes)
    credit.spend(Int(Wire.windowBytes) + 5)
    #expect(credit.bytes == 0)
  }

  @Test func creditsAreGivenInQuartersOfTheWindow() {
    var window = StreamWindow()
    let quarter = Int(Wire.windowBytes) / 4
    #expect(window.consume(quarter - 1) == nil)
    #expect(window.consume(1) == UInt32(quarter))
    #expect(window.consume(1) == nil)
  }
}
