/// What the host may say to the guest, which obeys nothing else.
public enum HostMessage: Sendable {
  /// The workload manifest, deterministic CBOR. First of all, and once.
  case manifest([UInt8])
  /// What the orchestrator adds, CBOR; merged by the manifest's rules. Once.
  case hostInput([UInt8])
  /// Run the workload. Once, after the manifest and the host input.
  case start
  /// The evidence that was asked for (simulation only): an SNP report and its table, or
  /// a TDX quote.
  case evidence([UInt8])
  /// Deliver a signal (Linux numbering, 1…64) to the workload.
  case signal(UInt8)
  /// The terminal's new size.
  case windowSize(rows: UInt16, columns: UInt16)
  /// Bytes for the workload's standard input.
  case input([UInt8])
  /// Standard input has ended.
  case inputEnd
  /// The guest may send so many more bytes on the channel.
  case credit(Wire.Channel, UInt32)
  /// The host has connected to the key broker.
  case brokerOpened
  /// The host could not connect, for this reason (UTF-8, for people).
  case brokerFailed([UInt8])
  /// Bytes that came from the key broker.
  case brokerData([UInt8])
  /// The key broker, or the host, has ended the connection.
  case brokerEnd
  /// Run a program beside the workload: CBOR of an `ExecutionRequest`.
  case execute([UInt8])
  /// A message for the program of that session, 1 to 255: ``execute(_:)`` first, then what a
  /// workload is sent while it runs.
  indirect case toSession(UInt8, HostMessage)

  /// Interprets a frame that came from the host.
  public init(_ frame: Frame) throws(WireError) {
    let message = try HostMessage(ignoringSessionOf: frame)
    switch message {
    case .signal, .windowSize, .input, .inputEnd, .credit:
      self = frame.session == 0 ? message : .toSession(frame.session, message)
    case .execute:
      guard frame.session != 0 else { throw frame.fault(.reserved) }
      self = .toSession(frame.session, message)
    default:
      guard frame.session == 0 else { throw frame.fault(.reserved) }
      self = message
    }
  }

  private init(ignoringSessionOf frame: Frame) throws(WireError) {
    let payload = frame.payload
    switch (frame.channel, frame.type) {
    case (.control, 1): self = .manifest(payload)
    case (.control, 2): self = .hostInput(payload)
    case (.control, 3): self = try frame.empty(.start)
    case (.control, 4): self = .evidence(try frame.payload(0...Wire.evidenceBytesMax))
    case (.control, 5):
      let number = try frame.payload(1...1)[0]
      guard (1...64).contains(number) else { throw frame.fault(.value) }
      self = .signal(number)
    case (.control, 6):
      _ = try frame.payload(4...4)
      self = .windowSize(rows: frame.u16(at: 0), columns: frame.u16(at: 2))
    case (.control, 7): self = .execute(payload)
    case (.standardInput, 1): self = .input(try frame.payload(1...Wire.streamBytesMax))
    case (.standardInput, 2): self = try frame.empty(.inputEnd)
    case (.keyBroker, 1): self = .brokerData(try frame.payload(1...Wire.streamBytesMax))
    case (.keyBroker, 2): self = try frame.empty(.brokerEnd)
    case (.keyBroker, 4): self = try frame.empty(.brokerOpened)
    case (.keyBroker, 5): self = .brokerFailed(try frame.payload(0...Wire.textBytesMax))
    case (.standardOutput, 3), (.standardError, 3), (.keyBroker, 3):
      self = .credit(frame.channel, try frame.creditBytes())
    default: throw frame.fault(.type)
    }
  }
}
