import ArcaBytes

/// What the guest may say to the host; the launcher treats it as untrusted too.
public enum GuestMessage: Sendable {
  /// `arca-init` runs and reads its channel.
  case ready
  /// Evidence is wanted over these 64 bytes of report data (simulation only).
  case evidenceRequest([UInt8])
  /// The evidence that hardware gave inside, for the host's records: a report, with its certificate
  /// table where there is one, or a quote.
  case evidence([UInt8])
  /// The firmware's event log (CCEL) that explains a quote's registers.
  case eventLog([UInt8])
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
  /// A connection to the manifest's key broker is wanted.
  case brokerOpen(host: [UInt8], port: UInt16)
  /// Bytes for the key broker.
  case brokerData([UInt8])
  /// The guest has done with the connection.
  case brokerEnd
  /// The host may send so many more of the key broker's bytes.
  case brokerCredit(UInt32)
  /// A message of the program of that session, 1 to 255; `exit` or `failure` is its last.
  indirect case ofSession(UInt8, GuestMessage)

  /// Interprets what a process beside init says too: about evidence, the relay and for the log.
  public init(relayed frame: Frame) throws(WireError) {
    switch (frame.channel, frame.type) {
    case (.control, 2): self = .evidenceRequest(try frame.payload(64...64))
    case (.control, 6): self = .log(try frame.payload(0...Wire.textBytesMax))
    case (.keyBroker, 1): self = .brokerData(try frame.payload(1...Wire.streamBytesMax))
    case (.keyBroker, 2): self = try frame.empty(.brokerEnd)
    case (.keyBroker, 3): self = .brokerCredit(try frame.creditBytes())
    case (.keyBroker, 4):
      let host = Array(try frame.payload(3...2 + Wire.hostNameBytesMax).dropFirst(2))
      self = .brokerOpen(host: host, port: frame.u16(at: 0))
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
    case .evidence(let bytes): return Frame(.control, 7, bytes)
    case .eventLog(let bytes): return Frame(.control, 8, bytes)
    case .output(let channel, let bytes): return Frame(channel, 1, bytes)
    case .outputEnd(let channel): return Frame(channel, 2)
    case .inputCredit(let bytes): return .credit(.standardInput, bytes)
    case .brokerData(let bytes): return Frame(.keyBroker, 1, bytes)
    case .brokerEnd: return Frame(.keyBroker, 2)
    case .brokerCredit(let bytes): return .credit(.keyBroker, bytes)
    case .brokerOpen(let host, let port):
      return Frame(.keyBroker, 4, port.littleEndianBytes + host)
    case .ofSession(let session, let message):
      var frame = message.frame
      frame.session = session
      return frame
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
  /// The key broker could not be reached, or gave no answer in time.
  case keyBroker = 13
  /// Whoever answered is not the key broker that the manifest names, or changed its bytes.
  case keyBrokerIdentity = 14
  /// The key broker refused the evidence, or the resource.
  case keyBrokerRefused = 15
  /// The key broker's answer is not the protocol's, or a secret cannot be put where it belongs.
  case secret = 16
  /// An encrypted volume is not there, not the newest state of itself, or cannot be used.
  case volume = 17
}
