import ArcaBytes

/// What the host may say to the guest, which obeys nothing else.
public enum HostMessage: Sendable {
  /// The workload manifest, deterministic CBOR. First of all, and once.
  case manifest([UInt8])
  /// What the orchestrator adds, CBOR; merged by the manifest's rules. Once.
  case hostInput([UInt8])
  /// Run the workload. Once, after the manifest and the host input.
  case start
  /// The evidence that was asked for (simulation only): an SNP attestation report.
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

  /// Interprets a frame that came from the host.
  public init(_ frame: Frame) throws(WireError) {
    let payload = frame.payload
    switch (frame.channel, frame.type) {
    case (.control, 1): self = .manifest(payload)
    case (.control, 2): self = .hostInput(payload)
    case (.control, 3):
      try frame.expect(bytes: 0)
      self = .start
    case (.control, 4): self = .evidence(payload)
    case (.control, 5):
      try frame.expect(bytes: 1)
      guard (1...64).contains(payload[0]) else { throw frame.fault(.value) }
      self = .signal(payload[0])
    case (.control, 6):
      try frame.expect(bytes: 4)
      self = .windowSize(rows: frame.u16(at: 0), columns: frame.u16(at: 2))
    case (.standardInput, 1):
      guard !payload.isEmpty else { throw frame.fault(.length) }
      self = .input(payload)
    case (.standardInput, 2):
      try frame.expect(bytes: 0)
      self = .inputEnd
    case (.standardOutput, 3), (.standardError, 3):
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
