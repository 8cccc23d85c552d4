/// The guest's view of what the host may say next; every host message passes through it.
public struct HostMessageOrder: Sendable {
  /// What a start is told, in this order.
  private enum Step: Int { case manifest, hostInput, start, nothing }

  private var awaited = Step.manifest
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
    order.awaited = .nothing
    return order
  }

  /// Grants the host `bytes` more of standard input, which the caller has sent as a credit.
  public mutating func grantInput(_ bytes: UInt32) {
    inputGrantedBytes = min(inputGrantedBytes &+ bytes, Wire.windowBytes)
  }

  /// Takes note of `message`, which came in `frame`, or refuses it where it may not come now.
  public mutating func accept(_ message: HostMessage, _ frame: Frame) throws(WireError) {
    let isExpected: Bool
    var isWithinCredit = true
    switch message {
    case .manifest: isExpected = advance(from: .manifest)
    case .hostInput: isExpected = advance(from: .hostInput)
    case .start: isExpected = advance(from: .start)
    case .evidence:
      isExpected = awaitsEvidence
      awaitsEvidence = false
    case .brokerOpened: isExpected = relay.answer(isOpen: true)
    case .brokerFailed: isExpected = relay.answer(isOpen: false)
    case .brokerData(let bytes):
      isExpected = relay.hostMaySpeak
      isWithinCredit = relay.receive(bytes.count)
    case .brokerEnd: isExpected = relay.endByHost()
    case .credit(.keyBroker, let bytes):
      isExpected = relay.hostMaySpeak
      isWithinCredit = relay.add(bytes)
    case .toSession, .execute, .signal, .windowSize, .credit:
      // What comes when within a session is the session's own to say.
      isExpected = awaited == .nothing
    case .input(let bytes):
      isExpected = awaited == .nothing && !inputEnded
      isWithinCredit = bytes.count <= Int(inputGrantedBytes)
      inputGrantedBytes -= min(UInt32(bytes.count), inputGrantedBytes)
    case .inputEnd:
      isExpected = awaited == .nothing && !inputEnded
      inputEnded = true
    }
    guard isExpected else { throw frame.fault(.order) }
    guard isWithinCredit else { throw frame.fault(.credit) }
  }

  private mutating func advance(from step: Step) -> Bool {
    guard awaited == step else { return false }
    awaited = Step(rawValue: step.rawValue + 1) ?? .nothing
    return true
  }
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
      throw WireError(code: .credit, channel: channel.rawValue, type: 3)
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
