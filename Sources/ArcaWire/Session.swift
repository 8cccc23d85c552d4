/// The guest's view of what the host may say next; every host message passes through it.
public struct HostMessageOrder: Sendable {
  private var hasManifest = false
  private var hasHostInput = false
  private var isStarted = false
  private var inputEnded = false
  private var inputGrantedBytes = Wire.windowBytes

  /// Set while an evidence request is open; a second answer, or one unasked for, is refused.
  public var awaitsEvidence = false
  /// The relayed connection, which the guest opens and ends.
  public var relay = RelayOrder()

  /// Expects the manifest first.
  public init() {}

  /// The order within the session of a program that runs already.
  public static var running: HostMessageOrder {
    var order = HostMessageOrder()
    (order.hasManifest, order.hasHostInput, order.isStarted) = (true, true, true)
    return order
  }

  /// Grants the host `bytes` more of standard input, which the caller has sent as a credit.
  public mutating func grantInput(_ bytes: UInt32) {
    inputGrantedBytes = min(inputGrantedBytes &+ bytes, Wire.windowBytes)
  }

  /// Takes note of `message`, or refuses it where it may not come now.
  public mutating func accept(_ message: HostMessage) throws(WireError) {
    switch message {
    case .manifest:
      guard !hasManifest else { throw message.outOfOrder }
      hasManifest = true
    case .hostInput:
      guard hasManifest, !hasHostInput else { throw message.outOfOrder }
      hasHostInput = true
    case .start:
      guard hasHostInput, !isStarted else { throw message.outOfOrder }
      isStarted = true
    case .evidence:
      guard awaitsEvidence else { throw message.outOfOrder }
      awaitsEvidence = false
    case .toSession, .execute:
      // What comes when within a session is the session's own to say.
      guard isStarted else { throw message.outOfOrder }
    case .signal, .windowSize:
      guard isStarted else { throw message.outOfOrder }
    case .brokerOpened, .brokerFailed:
      var isOpen = false
      if case .brokerOpened = message { isOpen = true }
      guard relay.answer(isOpen: isOpen) else { throw message.outOfOrder }
    case .brokerData(let bytes):
      guard relay.phase == .open, !relay.hostHasEnded else { throw message.outOfOrder }
      guard relay.receive(bytes.count) else { throw message.frame.fault(.credit) }
    case .brokerEnd:
      guard relay.endByHost() else { throw message.outOfOrder }
    case .credit(.keyBroker, let bytes):
      guard relay.phase == .open, !relay.hostHasEnded else { throw message.outOfOrder }
      guard relay.add(bytes) else { throw message.frame.fault(.credit) }
    case .credit:
      guard isStarted else { throw message.outOfOrder }
    case .input(let bytes):
      guard isStarted, !inputEnded else { throw message.outOfOrder }
      guard bytes.count <= Int(inputGrantedBytes) else { throw message.frame.fault(.credit) }
      inputGrantedBytes -= UInt32(bytes.count)
    case .inputEnd:
      guard isStarted, !inputEnded else { throw message.outOfOrder }
      inputEnded = true
    }
  }
}

extension HostMessage {
  fileprivate var outOfOrder: WireError { frame.fault(.order) }
}

/// The sending side of one flow-controlled stream.
public struct StreamCredit: Sendable {
  /// How many bytes may be sent now.
  public private(set) var bytes = Wire.windowBytes

  /// Starts with a whole window.
  public init() {}

  /// Takes a grant of the receiver; one that would pass the window is refused.
  public mutating func add(_ grant: UInt32, on channel: Wire.Channel) throws(WireError) {
    guard grant <= Wire.windowBytes - bytes else {
      throw WireError(.credit, channel: channel.rawValue, type: 3)
    }
    bytes += grant
  }

  /// Notes that `count` bytes have been sent.
  public mutating func spend(_ count: Int) {
    bytes -= min(bytes, UInt32(truncatingIfNeeded: count))
  }
}

/// The receiving side of one flow-controlled stream: says when to grant, so that credits are few.
public struct StreamWindow: Sendable {
  private var consumedBytes: UInt32 = 0

  /// Starts with a whole window granted.
  public init() {}

  /// Notes that `count` bytes were consumed; returns a grant to send, where it is time for one.
  public mutating func consume(_ count: Int) -> UInt32? {
    consumedBytes += UInt32(truncatingIfNeeded: count)
    guard consumedBytes >= Wire.windowBytes / 4 else { return nil }
    defer { consumedBytes = 0 }
    return consumedBytes
  }
}
