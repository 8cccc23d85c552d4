import ArcaBytes

/// What the guest may say to the host; the launcher treats it as untrusted too.
public enum GuestMessage: Sendable {
  /// `arca-init` runs and reads its channel.
  case ready
  /// Evidence is wanted over these 64 bytes of report data (simulation only).
  case evidenceRequest([UInt8])
  /// The workload's first instruction is about to run: `execve` has succeeded.
  case started
  /// The workload has ended: its exit status, or 128 + n for signal n.
  case exit(UInt8)
  /// The guest could not run the workload, and powers off.
  case failure(GuestFailure, detail: [UInt8])
  /// A line for the log, UTF-8.
  case log([UInt8])
  /// Bytes of the workload's standard output or error.
  case output(Wire.Channel, [UInt8])
  /// That stream has ended.
  case outputEnd(Wire.Channel)
  /// The host may send so many more bytes of standard input.
  case inputCredit(UInt32)

  /// Interprets a frame that came from the guest.
  public init(_ frame: Frame) throws(WireError) {
    let payload = frame.payload
    switch (frame.channel, frame.type) {
    case (.control, 1):
      try frame.expect(bytes: 0)
      self = .ready
    case (.control, 2):
      try frame.expect(bytes: 64)
      self = .evidenceRequest(payload)
    case (.control, 3):
      try frame.expect(bytes: 0)
      self = .started
    case (.control, 4):
      try frame.expect(bytes: 1)
      self = .exit(payload[0])
    case (.control, 5):
      guard payload.count >= 1, payload.count <= 1 + Wire.textBytesMax else {
        throw frame.fault(.length)
      }
      guard let code = GuestFailure(rawValue: payload[0]) else { throw frame.fault(.value) }
      self = .failure(code, detail: Array(payload.dropFirst()))
    case (.control, 6):
      guard payload.count <= Wire.textBytesMax else { throw frame.fault(.length) }
      self = .log(payload)
    case (.standardOutput, 1), (.standardError, 1):
      guard !payload.isEmpty else { throw frame.fault(.length) }
      self = .output(frame.channel, payload)
    case (.standardOutput, 2), (.standardError, 2):
      try frame.expect(bytes: 0)
      self = .outputEnd(frame.channel)
    case (.standardInput, 3): self = .inputCredit(try frame.creditBytes())
    default: throw frame.fault(.type)
    }
  }

  /// The frame that carries the message.
  public var frame: Frame {
    switch self {
    case .ready: return Frame(.control, 1)
    case .evidenceRequest(let reportData): return Frame(.control, 2, reportData)
    case .started: return Frame(.control, 3)
    case .exit(let status): return Frame(.control, 4, [status])
    case .failure(let code, let detail):
      return Frame(.control, 5, [code.rawValue] + detail.prefix(Wire.textBytesMax))
    case .log(let text): return Frame(.control, 6, Array(text.prefix(Wire.textBytesMax)))
    case .output(let channel, let bytes): return Frame(channel, 1, bytes)
    case .outputEnd(let channel): return Frame(channel, 2)
    case .inputCredit(let bytes): return .credit(.standardInput, bytes)
    }
  }
}

/// Why the guest did not run the workload to its end.
public enum GuestFailure: UInt8, Sendable {
  /// A frame from the host was malformed, unknown or out of order.
  case wire = 1
  /// The manifest is not deterministic CBOR of the known schema.
  case manifest = 2
  /// The manifest's digest is not the one that the TEE reports.
  case identity = 3
  /// The evidence could not be had, or does not answer what was asked.
  case evidence = 4
  /// The host input asks for something that no rule of the manifest allows.
  case hostInput = 5
  /// A kernel module could not be loaded.
  case module = 6
  /// The root file system's device or its verity tree does not match the manifest.
  case rootFilesystem = 7
  /// A mount, device node or other part of the container's environment could not be made.
  case environment = 8
  /// The workload's user, capabilities, limits or working directory could not be set.
  case process = 9
  /// The workload's program does not exist (exit status 127).
  case commandNotFound = 10
  /// The workload's program cannot be executed (exit status 126).
  case commandNotExecutable = 11
  /// Data read from the root file system did not match the verity tree while running.
  case corruption = 12
}
