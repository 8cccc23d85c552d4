import ArcaBytes
import ArcaWire
import CArcaGuest

/// The one connection to the host: frames in, checked for order, and frames out.
struct Channel {
  static let name = Array("dev.arca.channel".utf8)
  private static let portWaitMilliseconds: Int32 = 10_000
  private static let readBytes = 4096
  private static let readsMax = 16
  private static let heldMax = 64

  let fd: Int32
  var order = HostMessageOrder()
  private var decoder = FrameDecoder()
  /// Messages that came while something else was awaited.
  private var held: [HostMessage] = []
  /// Evidence, and what the relayed connection brings; flow control bounds it.
  private var attestation: [HostMessage] = []
  private var unsent: [UInt8] = []
  private var sent = 0

  /// The line of a process beside init, over which only evidence and the relay's messages go.
  init(line: Int32) { fd = line }

  /// Opens the port with Arca's name, waiting for the kernel to announce it.
  init(uevents: Int32) throws(SystemError) {
    while true {
      if let fd = try Self.openPort() {
        self.fd = fd
        return
      }
      var items = [arca_poll(fd: uevents, events: Int16(ARCA_POLLIN), revents: 0)]
      try System.poll(&items, timeoutMilliseconds: Self.portWaitMilliseconds)
      guard items[0].revents != 0 else { throw SystemError(errno: SystemError.notFound) }
      while System.takeUevent(uevents) {}
    }
  }

  private static func openPort() throws(SystemError) -> Int32? {
    let folder = "/sys/class/virtio-ports"
    guard let ports = try? System.list(folder) else { return nil }
    for port in ports {
      let port = String(decoding: port, as: UTF8.self)
      guard let found = try? File.read("\(folder)/\(port)/name", bytesMax: 64) else { continue }
      if same(found.prefix { $0 != UInt8(ascii: "\n") }, name) {
        return try System.openPort("/dev/\(port)")
      }
    }
    return nil
  }

  /// How many bytes wait to be taken by the host.
  var unsentBytes: Int { unsent.count - sent }

  /// Queues `message`, of the workload or of a session beside it.
  mutating func send(_ message: GuestMessage, session: UInt8 = 0) {
    send(session == 0 ? message.frame : GuestMessage.ofSession(session, message).frame)
  }

  /// Queues a frame as it is.
  mutating func send(_ frame: Frame) {
    if sent == unsent.count || sent >= Int(Wire.windowBytes) {
      unsent.removeFirst(sent)
      sent = 0
    }
    var writer = ByteWriter(capacity: frame.payload.count + Wire.headerBytes)
    frame.write(to: &writer)
    unsent += writer.bytes
  }

  /// Hands the kernel what it takes without waiting.
  mutating func flush() throws(SystemError) {
    while sent < unsent.count {
      do {
        sent += try System.write(fd, unsent, from: sent)
      } catch {
        if error.errno == SystemError.again { return }
        throw error
      }
    }
  }

  /// Hands the kernel all that waits.
  mutating func drain() throws(SystemError) {
    try flush()
    while unsentBytes > 0 {
      var items = [arca_poll(fd: fd, events: Int16(ARCA_POLLOUT), revents: 0)]
      try System.poll(&items, timeoutMilliseconds: -1)
      try flush()
    }
  }

  /// Takes what has arrived; false once the host has closed its end.
  mutating func receive() throws(SystemError) -> Bool {
    // The kernel hands out a page at a time; several at once spare as many turns of the loop.
    for _ in 0..<Self.readsMax {
      do throws(SystemError) {
        let bytes = try System.read(fd, Self.readBytes)
        if bytes.isEmpty { return false }
        decoder.append(bytes)
      } catch {
        if error.errno == SystemError.again { return true }
        throw error
      }
    }
    return true
  }

  /// The next whole message that the host may send now, besides those of ``nextAttestation()``.
  mutating func nextMessage() throws(InitError) -> HostMessage? {
    held.isEmpty ? try decodeMessage() : held.removeFirst()
  }

  private mutating func decodeMessage() throws(InitError) -> HostMessage? {
    do {
      while let frame = try decoder.next() {
        let message = try HostMessage(frame)
        try order.accept(message)
        switch message {
        case .evidence, .brokerOpened, .brokerFailed, .brokerData, .brokerEnd,
          .credit(.keyBroker, _):
          attestation.append(message)
        default: return message
        }
      }
      return nil
    } catch {
      throw InitError(error)
    }
  }

  /// The next frame of the process beside init, which sends over its line what it would send here.
  mutating func nextFrame() throws(WireError) -> Frame? { try decoder.next() }

  /// The next of evidence and the relay's messages, of those that have been decoded.
  mutating func nextAttestation() -> HostMessage? {
    attestation.isEmpty ? nil : attestation.removeFirst()
  }

  /// Sends all and waits for evidence or a message of the relay; nil once `deadline` has come.
  mutating func waitForAttestation(until deadline: UInt64) throws(InitError) -> HostMessage? {
    while true {
      if let message = nextAttestation() { return message }
      while let message = try decodeMessage() {
        guard held.count < Self.heldMax else {
          throw InitError(.wire, "more than \(Self.heldMax) messages before what was awaited")
        }
        held.append(message)
      }
      if !attestation.isEmpty { continue }
      let now = arca_milliseconds()
      if now >= deadline { return nil }
      try exchange(timeoutMilliseconds: Int32(min(deadline - now, 1 << 30)))
    }
  }

  /// Sends all and waits for the next message.
  mutating func waitForMessage() throws(InitError) -> HostMessage {
    while true {
      if let message = try nextMessage() { return message }
      try exchange(timeoutMilliseconds: -1)
    }
  }

  /// Asks for evidence over `reportData`; the host may meanwhile send what comes after it.
  mutating func requestEvidence(_ reportData: [UInt8]) throws(InitError) -> [UInt8] {
    order.awaitsEvidence = true
    send(.evidenceRequest(reportData))
    var others: [HostMessage] = []
    while let message = try waitForAttestation(until: .max) {
      if case .evidence(let evidence) = message {
        attestation = others + attestation
        return evidence
      }
      others.append(message)
    }
    throw .hostLeft
  }

  /// Waits until bytes have moved in either direction, or for so long.
  private mutating func exchange(timeoutMilliseconds: Int32) throws(InitError) {
    do throws(SystemError) {
      try flush()
      let events = ARCA_POLLIN | (unsentBytes > 0 ? ARCA_POLLOUT : 0)
      var items = [arca_poll(fd: fd, events: Int16(events), revents: 0)]
      try System.poll(&items, timeoutMilliseconds: timeoutMilliseconds)
      if items[0].revents & ~Int16(ARCA_POLLOUT) != 0, !(try receive()) { throw .hostLeft }
    } catch {
      throw .hostLeft
    }
  }

  /// Sends all, and waits until the host has closed its end or takes nothing for some seconds.
  ///
  /// The kernel takes bytes before the host has them, so powering off at once could lose the last.
  mutating func finish() {
    while (try? flush()) != nil {
      let events = Int16(unsentBytes > 0 ? ARCA_POLLOUT : 0)
      var items = [arca_poll(fd: fd, events: events, revents: 0)]
      try? System.poll(&items, timeoutMilliseconds: 5000)
      if items[0].revents != Int16(ARCA_POLLOUT) { return }
    }
  }
}

extension InitError {
  /// Names the frame that was refused and why.
  init(_ error: WireError) {
    self.init(
      .wire,
      "channel \(error.channel), type \(error.type): \(Self.name(error.code))")
  }

  private static func name(_ code: WireError.Code) -> String {
    switch code {
    case .version: return "unknown protocol version"
    case .channel: return "unknown channel"
    case .type: return "unknown type"
    case .reserved: return "not of that session"
    case .length: return "length out of bounds"
    case .value: return "value out of bounds"
    case .order: return "out of order"
    case .credit: return "more bytes than granted"
    }
  }
}
