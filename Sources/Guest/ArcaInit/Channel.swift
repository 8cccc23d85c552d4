import ArcaBytes
import ArcaWire
import CArcaGuest

/// The one connection to the host: frames in, checked for order, and frames out.
final class Channel {
  static let name = [UInt8](ascii: "dev.arca.channel")
  private static let portWaitMilliseconds: Int32 = 10_000
  private static let readBytes = 4096
  private static let readsMax = 16
  private static let heldMax = 64

  /// A message, and the frame that it came in.
  typealias Received = (message: HostMessage, frame: Frame)

  let fd: Int32
  var order = HostMessageOrder()
  private var decoder = FrameDecoder()
  /// Messages that came while something else was awaited.
  private var held: [Received] = []
  /// Evidence, and what the relayed connection brings; flow control bounds it.
  private var attestation: [Received] = []
  private var unsent: [UInt8] = []
  private var sent = 0

  /// The line of a process beside init, over which only evidence and the relay's messages go.
  init(line: Int32) { fd = line }

  /// Opens the port with Arca's name, waiting for the kernel to announce it.
  init(uevents: Int32) throws(SystemError) {
    var port = try Self.openPort()
    while port == nil {
      guard
        try System.wait(uevents, POLLIN, timeoutMilliseconds: Self.portWaitMilliseconds) != 0
      else { throw SystemError(errno: ENOENT) }
      System.takeUevents(uevents)
      port = try Self.openPort()
    }
    fd = port ?? -1
  }

  private static func openPort() throws(SystemError) -> Int32? {
    let ports = "/sys/class/virtio-ports"
    guard let port = try? File.find(in: ports, by: "name", { $0.elementsEqual(name) }) else {
      return nil
    }
    return try System.open("/dev/\(port)", O_RDWR | O_NONBLOCK)
  }

  /// How many bytes wait to be taken by the host.
  var unsentBytes: Int { unsent.count - sent }

  /// Queues `message`, of the workload or of a session beside it.
  func send(_ message: GuestMessage, session: UInt8 = 0) {
    send(session == 0 ? message.frame : GuestMessage.ofSession(session, message).frame)
  }

  /// Queues a frame as it is.
  func send(_ frame: Frame) {
    if sent == unsent.count || sent >= Int(Wire.windowBytes) {
      unsent.removeFirst(sent)
      sent = 0
    }
    unsent += frame.header
    unsent += frame.payload
  }

  /// Hands the kernel what it takes without waiting.
  func flush() throws(SystemError) {
    while sent < unsent.count {
      do {
        sent += try System.write(fd, unsent, from: sent)
      } catch {
        if error.errno == EAGAIN { return }
        throw error
      }
    }
  }

  /// Hands the kernel all that waits.
  func drain() throws(SystemError) {
    while unsentBytes > 0 {
      _ = try System.wait(fd, POLLOUT, timeoutMilliseconds: -1)
      try flush()
    }
  }

  /// Takes what has arrived; false once the host has closed its end.
  func receive() throws(SystemError) -> Bool {
    // The kernel hands out a page at a time; several at once spare as many turns of the loop.
    for _ in 0..<Self.readsMax {
      do throws(SystemError) {
        let bytes = try System.read(fd, Self.readBytes)
        if bytes.isEmpty { return false }
        decoder.append(bytes)
      } catch {
        if error.errno == EAGAIN { return true }
        throw error
      }
    }
    return true
  }

  /// The next whole message that the host may send now, besides those of ``nextAttestation()``.
  func nextMessage() throws(InitError) -> Received? {
    held.isEmpty ? try decodeMessage() : held.removeFirst()
  }

  private func decodeMessage() throws(InitError) -> Received? {
    while let frame = try nextFrame() {
      let message = try onWire(HostMessage(frame))
      try onWire(order.accept(message, frame))
      switch message {
      case .evidence, .brokerOpened, .brokerFailed, .brokerData, .brokerEnd,
        .credit(.keyBroker, _):
        attestation.append((message, frame))
      default: return (message, frame)
      }
    }
    return nil
  }

  /// The next frame of the process beside init, which sends over its line what it would send here.
  func nextFrame() throws(InitError) -> Frame? { try onWire(decoder.next()) }

  /// The next of evidence and the relay's messages, of those that have been decoded.
  func nextAttestation() -> Received? {
    attestation.isEmpty ? nil : attestation.removeFirst()
  }

  /// Sends all and waits for evidence or a message of the relay; nil once `deadline` has come.
  func waitForAttestation(until deadline: UInt64) throws(InitError) -> Received? {
    while true {
      if let received = nextAttestation() { return received }
      while let received = try decodeMessage() {
        guard held.count < Self.heldMax else {
          throw InitError(.wire, "more than \(Self.heldMax) messages before what was awaited")
        }
        held.append(received)
      }
      if !attestation.isEmpty { continue }
      let now = arca_milliseconds()
      if now >= deadline { return nil }
      try exchange(timeoutMilliseconds: Int32(min(deadline - now, 1 << 30)))
    }
  }

  /// Sends all and waits for the next message.
  func waitForMessage() throws(InitError) -> HostMessage {
    while true {
      if let received = try nextMessage() { return received.message }
      try exchange(timeoutMilliseconds: -1)
    }
  }

  /// Asks for evidence over `reportData`; the host may meanwhile send what comes after it.
  func requestEvidence(_ reportData: [UInt8]) throws(InitError) -> [UInt8] {
    order.awaitsEvidence = true
    send(.evidenceRequest(reportData))
    var others: [Received] = []
    while let received = try waitForAttestation(until: .max) {
      if case .evidence(let evidence) = received.message {
        attestation = others + attestation
        return evidence
      }
      others.append(received)
    }
    throw .hostLeft
  }

  /// Waits until bytes have moved in either direction, or for so long.
  private func exchange(timeoutMilliseconds: Int32) throws(InitError) {
    do throws(SystemError) {
      try flush()
      let found = try System.wait(
        fd, POLLIN | (unsentBytes > 0 ? POLLOUT : 0), timeoutMilliseconds: timeoutMilliseconds)
      if found & ~POLLOUT != 0, !(try receive()) { throw SystemError(errno: EPIPE) }
    } catch {
      throw .hostLeft
    }
  }

  /// Sends all, and waits until the host has closed its end or takes nothing for some seconds.
  ///
  /// The kernel takes bytes before the host has them, so powering off at once could lose the last.
  func finish() {
    while (try? flush()) != nil {
      let events = unsentBytes > 0 ? POLLOUT : 0
      if (try? System.wait(fd, events, timeoutMilliseconds: 5000)) != POLLOUT { return }
    }
  }
}
