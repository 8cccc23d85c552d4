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
  /// Messages that came while evidence was awaited.
  private var held: [HostMessage] = []
  private var unsent: [UInt8] = []
  private var sent = 0

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

  /// Queues `message`.
  mutating func send(_ message: GuestMessage) {
    if sent == unsent.count || sent >= Int(Wire.windowBytes) {
      unsent.removeFirst(sent)
      sent = 0
    }
    var writer = ByteWriter(capacity: message.frame.payload.count + Wire.headerBytes)
    message.frame.write(to: &writer)
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

  /// The next whole message that the host may send now.
  mutating func nextMessage() throws(InitError) -> HostMessage? {
    held.isEmpty ? try decodeMessage() : held.removeFirst()
  }

  private mutating func decodeMessage() throws(InitError) -> HostMessage? {
    do {
      guard let frame = try decoder.next() else { return nil }
      let message = try HostMessage(frame)
      try order.accept(message)
      return message
    } catch {
      throw InitError(error)
    }
  }

  /// Sends all and waits for the next message.
  mutating func waitForMessage() throws(InitError) -> HostMessage {
    while true {
      if let message = try nextMessage() { return message }
      try exchange()
    }
  }

  /// Asks for evidence over `reportData`; the host may meanwhile send what comes after it.
  mutating func requestEvidence(_ reportData: [UInt8]) throws(InitError) -> [UInt8] {
    order.awaitsEvidence = true
    send(.evidenceRequest(reportData))
    while true {
      while let message = try decodeMessage() {
        if case .evidence(let report) = message { return report }
        guard held.count < Self.heldMax else {
          throw InitError(.wire, "more than \(Self.heldMax) messages before the evidence")
        }
        held.append(message)
      }
      try exchange()
    }
  }

  /// Waits until bytes have moved in either direction.
  private mutating func exchange() throws(InitError) {
    do throws(SystemError) {
      try flush()
      let events = ARCA_POLLIN | (unsentBytes > 0 ? ARCA_POLLOUT : 0)
      var items = [arca_poll(fd: fd, events: Int16(events), revents: 0)]
      try System.poll(&items, timeoutMilliseconds: -1)
      if items[0].revents != Int16(ARCA_POLLOUT), !(try receive()) { throw .hostLeft }
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
    case .reserved: return "reserved byte is not zero"
    case .length: return "length out of bounds"
    case .value: return "value out of bounds"
    case .order: return "out of order"
    case .credit: return "more bytes than granted"
    }
  }
}
