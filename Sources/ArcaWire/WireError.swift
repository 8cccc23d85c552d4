/// Why bytes from the other end were refused; the connection ends with it.
public struct WireError: Error, Equatable, Sendable {
  /// The kind of fault.
  public enum Code: UInt8, Sendable {
    /// The first byte of a frame is not ``Wire/version``.
    case version
    /// The channel byte names no ``Wire/Channel``.
    case channel
    /// The type is not one that this end accepts on that channel.
    case type
    /// The session is not one that the message may belong to.
    case reserved
    /// The length exceeds the bound of its channel and type, or does not fit its fields.
    case length
    /// A field of the payload holds a value that it may not.
    case value
    /// The message is known but may not come now.
    case order
    /// More stream bytes came than had been granted.
    case credit
  }

  /// The kind of fault.
  public let code: Code
  /// The channel byte of the offending frame.
  public let channel: UInt8
  /// The type byte of the offending frame.
  public let type: UInt8

  /// Names the frame that was refused and why.
  public init(_ code: Code, channel: UInt8, type: UInt8) {
    self.code = code
    self.channel = channel
    self.type = type
  }
}
