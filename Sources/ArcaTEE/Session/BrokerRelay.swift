import ArcaWire
import Glibc

/// Where a key broker listens.
public struct BrokerEndpoint: Sendable, Equatable, CustomStringConvertible {
  /// A name or an address; an IPv6 address without brackets.
  public var host: String
  /// The TCP port.
  public var port: UInt16

  /// An endpoint.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Reads `HOST:PORT`, an IPv6 address in brackets; nil where it is anything else.
  public init?(parsing text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
      port > 0
    else { return nil }
    var host = text[..<colon]
    if host.first == "[", host.last == "]" {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard (1...Wire.hostNameBytesMax).contains(host.utf8.count) else { return nil }
    self.init(host: String(host), port: port)
  }

  /// `HOST:PORT`, an IPv6 address in brackets.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// The launcher's part of the guest's connection to its key broker: it moves bytes, and reads none.
///
/// The connection is made by whoever has a network: the `arca` that watches over the container, or,
/// where there is none, a thread of the launcher in the container's own network.
struct BrokerRelay {
  /// The launcher's line to its own thread, where there is no supervisor; else -1.
  private(set) var line: Int32 = -1
  private var threadsLine: Int32 = -1
  private let endpoint: BrokerEndpoint?
  private let supervisor: Int32?
  private var connection: Int32 = -1
  private var toBroker = ByteQueue()
  private var answer = BrokerLineDecoder()
  private var buffer: [UInt8] = []

  init(_ endpoint: BrokerEndpoint?, supervisor: Int32?) {
    self.endpoint = endpoint
    self.supervisor = supervisor
  }

  /// What to wait for on the connection.
  func wait(_ session: GuestSession) -> pollfd {
    var events: Int16 = 0
    if session.relay.credit.bytes > 0, !session.relay.hostHasEnded { events |= Int16(POLLIN) }
    if !toBroker.isEmpty { events |= Int16(POLLOUT) }
    return pollfd(fd: events == 0 ? -1 : connection, events: events, revents: 0)
  }

  mutating func take(
    _ event: GuestSession.BrokerEvent, _ session: inout GuestSession
  ) throws(TEEError) {
    switch event {
    case .open(let host, let port): try open(host, port, &session)
    case .data(let bytes): toBroker.append(bytes)
    case .end:
      // What the guest sent last, its TLS closure, goes out where it can at once.
      if connection >= 0 { _ = try? toBroker.write(to: connection, max: 1 << 18) }
      end(&session)
    }
  }

  private mutating func open(
    _ host: [UInt8], _ port: UInt16, _ session: inout GuestSession
  ) throws(TEEError) {
    guard let endpoint, Array(endpoint.host.utf8) == host, endpoint.port == port else {
      _ = session.relay.answer(isOpen: false)
      session.send(.brokerFailed(Array("the launch names no such key broker".utf8)))
      return
    }
    if let supervisor {
      _ = try System.write(supervisor, [SupervisorLine.wantsConnection], from: 0, max: 1)
    } else {
      if line < 0 { (line, threadsLine) = try System.socketPair() }
      System.connect(endpoint, answeringOver: threadsLine)
    }
  }

  /// Takes a byte of the line; the signal that it is, where it is none of an answer's.
  mutating func takeAnswer(
    _ byte: UInt8, _ passed: Int32, _ session: inout GuestSession
  ) -> UInt8? {
    switch answer.take(byte) {
    case .signal(let signal): return signal
    case .more: return nil
    case .connected:
      guard session.relay.answer(isOpen: passed >= 0) else {
        if passed >= 0 { close(passed) }
        return nil
      }
      connection = passed
      System.setNonBlocking(connection)
      session.send(passed >= 0 ? .brokerOpened : .brokerFailed(Array("no descriptor".utf8)))
    case .failed(let text):
      if session.relay.answer(isOpen: false) { session.send(.brokerFailed(text)) }
    }
    return nil
  }

  /// Moves bytes in both directions, as far as the sockets and the credit allow.
  mutating func move(_ session: inout GuestSession) throws(TEEError) {
    if !toBroker.isEmpty {
      switch try? toBroker.write(to: connection, max: 1 << 18) {
      case .bytes(let count):
        if let grant = session.relay.consume(count) { session.send(.credit(.keyBroker, grant)) }
      case .wouldBlock: break
      case .end, nil: return end(&session)
      }
    }
    let room = min(Int(session.relay.credit.bytes), Wire.streamBytesMax)
    guard connection >= 0, room > 0, !session.relay.hostHasEnded else { return }
    switch try? System.read(connection, into: &buffer, max: room) {
    case .bytes(let count):
      session.relay.spend(count)
      session.send(.brokerData(buffer))
    case .wouldBlock: break
    case .end, nil: end(&session)
    }
  }

  private mutating func end(_ session: inout GuestSession) {
    if connection >= 0 { close(connection) }
    connection = -1
    toBroker.removeAll()
    if session.relay.endByHost() { session.send(.brokerEnd) }
  }
}

/// What the launcher says to the `arca` that watches over its container, a byte each.
package enum SupervisorLine {
  /// The status has changed.
  package static let hasNews: UInt8 = 1
  /// A connection to the key broker is wanted; see ``System/connect(_:answeringOver:)``.
  package static let wantsConnection: UInt8 = 2
}

/// Tells the bytes of a line apart: signals, and answers about the connection.
///
/// 1 to 64 is a signal; 128 is a connection, whose descriptor comes with it; 129 is a failure,
/// followed by a length (16-bit little-endian) and a text.
struct BrokerLineDecoder {
  enum Meaning {
    case signal(UInt8)
    case connected
    case failed([UInt8])
    case more
  }

  private var pending: [UInt8] = []

  mutating func take(_ byte: UInt8) -> Meaning {
    if pending.isEmpty {
      if byte == 128 { return .connected }
      if byte < 128 { return .signal(byte) }
    }
    pending.append(byte)
    guard pending.count >= 3,
      pending.count == 3 + Int(pending[1]) + Int(pending[2]) << 8
    else { return .more }
    defer { pending = [] }
    return .failed(Array(pending.dropFirst(3)))
  }
}
