import ArcaBytes
import ArcaWire

/// The launcher's side of the wire protocol, without any input or output of its own.
///
/// Bytes go in, frames to send come out; what the guest may say when is decided here. The guest is
/// not trusted: whatever the protocol does not allow ends the session with an error.
package struct GuestSession {
  /// What the guest's bytes mean for the launcher.
  package enum Event: Sendable {
    case ready
    case evidenceRequest([UInt8])
    case evidence([UInt8])
    case eventLog([UInt8])
    case started
    case output(Wire.Channel, [UInt8])
    case log([UInt8])
    case exit(UInt8)
    case broker(BrokerEvent)
    case ofSession(UInt8, GuestMessage)
  }

  /// What the guest wants of the relayed connection to the key broker.
  package enum BrokerEvent: Sendable {
    case open(host: [UInt8], port: UInt16)
    case data([UInt8])
    case end
  }

  private enum Phase {
    case booting
    case preparing
    case running
    case ended
  }

  private var decoder = FrameDecoder()
  private var phase = Phase.booting
  private var input = StreamCredit()
  private var granted: [Wire.Channel: UInt32] = [
    .standardOutput: Wire.windowBytes, .standardError: Wire.windowBytes,
  ]
  private var windows: [Wire.Channel: StreamWindow] = [
    .standardOutput: StreamWindow(), .standardError: StreamWindow(),
  ]
  private var isEnded: [Wire.Channel: Bool] = [:]
  private var inputEnded = false
  /// The relayed connection; the launcher opens and ends it.
  package var relay = RelayOrder()

  /// What is to be sent to the guest.
  var outgoing = ByteQueue()

  package init() {}

  package var isRunning: Bool { phase == .running }
  var hasEnded: Bool { phase == .ended }
  /// Bytes of standard input that may be sent now.
  package var inputBytesMax: Int {
    phase == .running && !inputEnded ? min(Int(input.bytes), Wire.streamBytesMax) : 0
  }

  /// Takes bytes that came from the guest.
  package mutating func receive(_ bytes: [UInt8]) throws(TEEError) -> [Event] {
    decoder.append(bytes)
    var events: [Event] = []
    do {
      while let frame = try decoder.next() {
        if let event = try take(try GuestMessage(frame), frame) { events.append(event) }
      }
    } catch let error as WireError {
      throw TEEError(
        .wire,
        "the guest sent a frame that the protocol does not allow (\(error.code); channel "
          + "\(error.channel), type \(error.type))")
    } catch let error as TEEError {
      throw error
    } catch {
      throw TEEError(.wire, "\(error)")
    }
    return events
  }

  private mutating func take(_ message: GuestMessage, _ frame: Frame) throws -> Event? {
    let order = WireError(.order, channel: frame.channel.rawValue, type: frame.type)
    guard phase != .ended else { throw order }
    switch message {
    case .ready:
      guard phase == .booting else { throw order }
      phase = .preparing
      return .ready
    case .evidenceRequest(let reportData):
      guard phase == .preparing || phase == .running else { throw order }
      return .evidenceRequest(reportData)
    case .evidence(let evidence):
      guard phase == .preparing else { throw order }
      return .evidence(evidence)
    case .eventLog(let log):
      guard phase == .preparing else { throw order }
      return .eventLog(log)
    case .started:
      guard phase == .preparing else { throw order }
      phase = .running
      return .started
    case .output(let channel, let bytes):
      guard phase == .running, isEnded[channel] == nil else { throw order }
      let allowed = granted[channel] ?? 0
      guard bytes.count <= Int(allowed) else {
        throw WireError(.credit, channel: frame.channel.rawValue, type: frame.type)
      }
      granted[channel] = allowed - UInt32(bytes.count)
      return .output(channel, bytes)
    case .outputEnd(let channel):
      guard phase == .running, isEnded[channel] == nil else { throw order }
      isEnded[channel] = true
      return nil
    case .inputCredit(let bytes):
      try input.add(bytes, on: .standardInput)
      return nil
    case .ofSession(let session, let message):
      guard phase == .running else { throw order }
      return .ofSession(session, message)
    case .log(let text): return .log(text)
    case .exit(let status):
      guard phase == .running else { throw order }
      phase = .ended
      return .exit(status)
    case .brokerOpen(let host, let port):
      guard phase != .booting, relay.open() else { throw order }
      return .broker(.open(host: host, port: port))
    case .brokerData(let bytes):
      guard relay.phase == .open, !relay.guestHasEnded else { throw order }
      guard relay.receive(bytes.count) else {
        throw WireError(.credit, channel: frame.channel.rawValue, type: frame.type)
      }
      return .broker(.data(bytes))
    case .brokerEnd:
      guard relay.endByGuest() else { throw order }
      return .broker(.end)
    case .brokerCredit(let bytes):
      guard relay.phase == .open, !relay.guestHasEnded else { throw order }
      guard relay.add(bytes) else {
        throw WireError(.credit, channel: frame.channel.rawValue, type: frame.type)
      }
      return nil
    case .failure(let failure, let detail):
      phase = .ended
      throw TEEError(failure, detail: detail)
    }
  }

  /// Queues a message for the guest.
  mutating func send(_ message: HostMessage) {
    var writer = ByteWriter(capacity: 64)
    message.frame.write(to: &writer)
    outgoing.append(writer.bytes)
  }

  /// Queues standard input, at most ``inputBytesMax`` bytes of it; none at all is its end.
  package mutating func sendInput(_ bytes: [UInt8]) {
    guard !inputEnded else { return }
    if bytes.isEmpty {
      inputEnded = true
      send(.inputEnd)
    } else {
      input.spend(bytes.count)
      send(.input(bytes))
    }
  }

  /// Notes that `count` bytes of output have been passed on, which lets the guest send more.
  package mutating func consumed(_ count: Int, of channel: Wire.Channel) {
    guard let grant = windows[channel]?.consume(count) else { return }
    granted[channel, default: 0] += grant
    if phase == .running { send(.credit(channel, grant)) }
  }
}
