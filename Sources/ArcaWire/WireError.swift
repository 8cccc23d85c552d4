import ArcaBytes

/// Why bytes from the other end were refused; the connection ends with it.
public struct WireError: Error, Equatable, Sendable {
  /// The kind of fault, in words.
  public enum Code: Text, Sendable {
    /// The first byte of a frame is not ``Wire/version``.
    case version = "unknown protocol version"
    /// The channel byte names no ``Wire/Channel``.
    case channel = "unknown channel"
    /// The type is not one that this end accepts on that channel.
    case type = "unknown type"
    /// The session is not one that the message may belong to.
    case reserved = "not of that session"
    /// The length exceeds the bound of its channel and type, or does not fit its fields.
    case length = "length out of bounds"
    /// A field of the payload holds a value that it may not.
    case value = "value out of bounds"
    /// The message is known but may not come now.
    case order = "out of order"
    /// More stream bytes came than had been granted.
    case credit = "more bytes than granted"
  }

  /// The kind of fault.
  public let code: Code
  /// The channel byte of the offending frame.
  public let channel: UInt8
  /// The type byte of the offending frame.
  public let type: UInt8
}
