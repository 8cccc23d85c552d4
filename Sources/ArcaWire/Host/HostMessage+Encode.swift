import ArcaBytes

// What the host says is written by hosts alone; a guest is compiled without this file.

extension HostMessage {
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

extension HostMessageOrder {
  /// Takes note of `message`, or refuses it where it may not come now.
  public mutating func accept(_ message: HostMessage) throws(WireError) {
    try accept(message, message.frame)
  }
}
