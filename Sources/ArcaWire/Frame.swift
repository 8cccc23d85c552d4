import ArcaBytes

/// Constants of the host↔guest protocol (docs/specification.md, "Wire protocol").
public enum Wire {
  /// The protocol's version, the first byte of every frame.
  public static let version: UInt8 = 1
  /// Bytes before the payload: version, channel, type, session, payload length (32-bit
  /// little-endian).
  public static let headerBytes = 8
  /// The most payload bytes of a frame on a stream channel.
  public static let streamBytesMax = 32_768
  /// The most payload bytes of a control frame; the manifest and the host input are large ones.
  public static let controlBytesMax = 1 << 20
  /// Stream bytes that a sender may have outstanding before the receiver grants more.
  public static let windowBytes: UInt32 = 262_144
  /// The most bytes of the text in a failure or a log line.
  public static let textBytesMax = 1024
  /// The most bytes of evidence: a report or a quote, with what the host puts beside it.
  public static let evidenceBytesMax = 1 << 18
  /// The most bytes of the key broker's host name.
  public static let hostNameBytesMax = 253

  /// The port of 127.0.0.1 at which the launcher waits for an enclave that inherits no descriptors.
  public static let enclavePort: UInt16 = 40_961

  /// What a frame belongs to.
  public enum Channel: UInt8, Sendable {
    /// Messages about the session itself.
    case control = 0
    /// Standard input of the workload, host to guest.
    case standardInput = 1
    /// Standard output of the workload (and its terminal), guest to host.
    case standardOutput = 2
    /// Standard error of the workload, guest to host.
    case standardError = 3
    /// The relayed connection to the key broker, both ways.
    case keyBroker = 4

    /// Whether the channel carries a flow-controlled byte stream.
    public var isStream: Bool { self != .control }
  }
}

/// One frame as it stands on the wire; its type and payload are not yet interpreted.
public struct Frame: Sendable {
  /// What the frame belongs to.
  public let channel: Wire.Channel
  /// The message type, unique within its channel and direction.
  public let type: UInt8
  /// The payload, at most the bound of its channel.
  public let payload: [UInt8]
  /// 0 for the workload itself, 1 to 255 for a program that runs beside it.
  public var session: UInt8 = 0

  /// A frame of `type` on `channel`.
  public init(_ channel: Wire.Channel, _ type: UInt8, _ payload: [UInt8] = []) {
    self.channel = channel
    self.type = type
    self.payload = payload
  }

  /// What stands before the payload on the wire.
  public var header: [UInt8] {
    [Wire.version, channel.rawValue, type, session]
      + UInt32(truncatingIfNeeded: payload.count).littleEndianBytes
  }

  func fault(_ code: WireError.Code) -> WireError {
    WireError(code: code, channel: channel.rawValue, type: type)
  }

  /// The payload, which has so many bytes.
  func payload(_ counts: ClosedRange<Int>) throws(WireError) -> [UInt8] {
    guard counts.contains(payload.count) else { throw fault(.length) }
    return payload
  }

  /// `message`, of which the type says all: there is no payload.
  func empty<Message>(_ message: Message) throws(WireError) -> Message {
    _ = try payload(0...0)
    return message
  }

  func u16(at index: Int) -> UInt16 {
    UInt16(truncatingIfNeeded: payload[index..<index + 2].littleEndian)
  }

  /// The grant of a credit frame: more than nothing, and never more than a whole window.
  func creditBytes() throws(WireError) -> UInt32 {
    let value = UInt32(truncatingIfNeeded: try payload(4...4).littleEndian)
    guard value > 0, value <= Wire.windowBytes else { throw fault(.value) }
    return value
  }

  static func credit(_ channel: Wire.Channel, _ bytes: UInt32) -> Frame {
    Frame(channel, 3, bytes.littleEndianBytes)
  }
}

/// Cuts an incoming byte stream into frames.
///
/// A header is checked as soon as its eight bytes are there, so that a frame which is too long is
/// refused before any of it is stored.
public struct FrameDecoder: Sendable {
  private var buffer: [UInt8] = []
  private var start = 0

  /// Starts at a frame boundary.
  public init() {}

  /// Whether every byte so far belonged to a frame that has been handed out.
  public var isAtBoundary: Bool { start == buffer.count }

  /// Takes the next bytes of the stream.
  public mutating func append<Content: Collection>(_ bytes: Content)
  where Content.Element == UInt8 {
    if start == buffer.count || start > 1 << 17 {
      buffer.removeFirst(start)
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// The next whole frame, or nil until more bytes have come.
  public mutating func next() throws(WireError) -> Frame? {
    guard buffer.count - start >= Wire.headerBytes else { return nil }
    let (channelByte, type) = (buffer[start + 1], buffer[start + 2])
    guard buffer[start] == Wire.version else {
      throw WireError(code: .version, channel: channelByte, type: type)
    }
    guard let channel = Wire.Channel(rawValue: channelByte) else {
      throw WireError(code: .channel, channel: channelByte, type: type)
    }
    let length = Int(buffer[start + 4..<start + 8].littleEndian)
    let bound = channel.isStream ? Wire.streamBytesMax : Wire.controlBytesMax
    guard length <= bound else { throw WireError(code: .length, channel: channelByte, type: type) }
    let end = start + Wire.headerBytes + length
    guard buffer.count >= end else { return nil }
    var frame = Frame(channel, type, Array(buffer[start + Wire.headerBytes..<end]))
    frame.session = buffer[start + 3]
    start = end
    return frame
  }
}
