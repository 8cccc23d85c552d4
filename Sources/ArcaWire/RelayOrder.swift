/// The one TCP connection to the key broker that the host relays: who may say what now.
///
/// Both ends keep one. The guest opens, the host answers, bytes go both ways within their credit,
/// and once both ends have said that nothing more follows, the guest may open another.
public struct RelayOrder: Sendable {
  /// Where the connection stands.
  public enum Phase: Sendable {
    /// There is none.
    case closed
    /// The guest has asked for one.
    case opening
    /// The host has it.
    case open
  }

  /// Where the connection stands.
  public private(set) var phase = Phase.closed
  /// Whether the guest has said that it sends no more.
  public private(set) var guestHasEnded = false
  /// Whether the host has said that it sends no more.
  public private(set) var hostHasEnded = false
  /// Whether the host may send bytes or credit.
  var hostMaySpeak: Bool { phase == .open && !hostHasEnded }
  /// How many bytes this end may send now.
  public private(set) var credit = StreamCredit()
  private var receivableBytes = Wire.windowBytes
  private var window = StreamWindow()

  /// Starts without a connection.
  public init() {}

  /// The guest asks for a connection; false where there still is one.
  public mutating func open() -> Bool {
    guard phase == .closed else { return false }
    self = RelayOrder()
    phase = .opening
    return true
  }

  /// The host answers; false where nothing was asked.
  public mutating func answer(isOpen: Bool) -> Bool {
    guard phase == .opening else { return false }
    phase = isOpen ? .open : .closed
    return true
  }

  /// The guest sends no more; false where it may not say so.
  public mutating func endByGuest() -> Bool {
    guard phase == .open, !guestHasEnded else { return false }
    guestHasEnded = true
    if hostHasEnded { phase = .closed }
    return true
  }

  /// The host sends no more; false where it may not say so.
  public mutating func endByHost() -> Bool {
    guard phase == .open, !hostHasEnded else { return false }
    hostHasEnded = true
    if guestHasEnded { phase = .closed }
    return true
  }

  /// This end has sent `count` bytes.
  public mutating func spend(_ count: Int) { credit.spend(count) }

  /// The other end grants more; false where that passes the window, or there is no connection.
  public mutating func add(_ grant: UInt32) -> Bool {
    guard phase == .open else { return false }
    return (try? credit.add(grant, on: .keyBroker)) != nil
  }

  /// The other end sent `count` bytes; false where it had not been granted as many.
  public mutating func receive(_ count: Int) -> Bool {
    guard count <= Int(receivableBytes) else { return false }
    receivableBytes -= UInt32(count)
    return true
  }

  /// Notes that `count` received bytes were consumed; returns a grant to send, where it is time.
  public mutating func consume(_ count: Int) -> UInt32? {
    guard phase == .open, let grant = window.consume(count) else { return nil }
    grantMore(grant)
    return grant
  }

  /// Notes that `bytes` more were granted to the other end.
  public mutating func grantMore(_ bytes: UInt32) {
    receivableBytes = min(receivableBytes &+ bytes, Wire.windowBytes)
  }
}
