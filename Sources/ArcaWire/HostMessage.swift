import ArcaBytes

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
    case (.control, 3):
      try frame.expect(bytes: 0)
      self = .start
    case (.control, 4):
      guard payload.count <= Wire.evidenceBytesMax else { throw frame.fault(.length) }
      self = .evidence(payload)
    case (.control, 5):
      try frame.expect(bytes: 1)
      guard (1...64).contains(payload[0]) else { throw frame.fault(.value) }
      self = .signal(payload[0])
    case (.control, 6):
      try frame.expect(bytes: 4)
      self = .windowSize(rows: frame.u16(at: 0), columns: frame.u16(at: 2))
    case (.control, 7): self = .execute(payload)
    case (.standardInput, 1):
      guard !payload.isEmpty else { throw frame.fault(.length) }
      self = .input(payload)
    case (.standardInput, 2):
      try frame.expect(bytes: 0)
      self = .inputEnd
    case (.keyBroker, 1):
      guard !payload.isEmpty else { throw frame.fault(.length) }
      self = .brokerData(payload)
    case (.keyBroker, 2):
      try frame.expect(bytes: 0)
      self = .brokerEnd
    case (.keyBroker, 4):
      try frame.expect(bytes: 0)
      self = .brokerOpened
    case (.keyBroker, 5):
      guard payload.count <= Wire.textBytesMax else { throw frame.fault(.length) }
      self = .brokerFailed(payload)
    case (.standardOutput, 3), (.standardError, 3), (.keyBroker, 3):
      self = .credit(frame.channel, try frame.creditBytes())
    default: throw frame.fault(.type)
    }
  }

  /// The frame that carries the message.
  public var frame: Frame {
    switch self {
    case .manifest(let bytes): return Frame(.control, 1, bytes)
    case .hostInput(let bytes): return Frame(.control, 2, bytes)
    case .start: return Frame(.control, 3)
    case .evidence(let bytes): return Frame(.control, 4, bytes)
    case .signal(let number): return Frame(.control, 5, [number])
    case .windowSize(let rows, let columns):
      var writer = ByteWriter(capacity: 4)
      writer.u16(rows)
      writer.u16(columns)
      return Frame(.control, 6, writer.bytes)
    case .input(let bytes): return Frame(.standardInput, 1, bytes)
    case .inputEnd: return Frame(.standardInput, 2)
    case .credit(let channel, let bytes): return .credit(channel, bytes)
    case .brokerData(let bytes): return Frame(.keyBroker, 1, bytes)
    case .brokerEnd: return Frame(.keyBroker, 2)
    case .brokerOpened: return Frame(.keyBroker, 4)
    case .brokerFailed(let text): return Frame(.keyBroker, 5, Array(text.prefix(Wire.textBytesMax)))
    case .execute(let bytes): return Frame(.control, 7, bytes)
    case .toSession(let session, let message):
      var frame = message.frame
      frame.session = session
      return frame
    }
  }
}

extension Frame {
  func fault(_ code: WireError.Code) -> WireError {
    WireError(code, channel: channel.rawValue, type: type)
  }

  func expect(bytes count: Int) throws(WireError) {
    guard payload.count == count else { throw fault(.length) }
  }

  func u16(at index: Int) -> UInt16 {
    UInt16(payload[index]) | UInt16(payload[index + 1]) << 8
  }

  /// The grant of a credit frame: more than nothing, and never more than a whole window.
  func creditBytes() throws(WireError) -> UInt32 {
    try expect(bytes: 4)
    let value = UInt32(u16(at: 0)) | UInt32(u16(at: 2)) << 16
    guard value > 0, value <= Wire.windowBytes else { throw fault(.value) }
    return value
  }

  static func credit(_ channel: Wire.Channel, _ bytes: UInt32) -> Frame {
    var writer = ByteWriter(capacity: 4)
    writer.u32(bytes)
    return Frame(channel, 3, writer.bytes)
  }
}
