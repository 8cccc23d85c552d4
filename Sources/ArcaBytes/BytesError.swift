/// What was wrong with bytes that were being read.
public struct BytesError: Error, Equatable, Sendable {
  /// The kind of fault; tests and callers compare this, never a text.
  public enum Code: UInt8, Sendable {
    /// Fewer bytes were left than the field needs.
    case truncated
    /// Bytes were left after the last field.
    case trailing
    /// A length or count exceeds the bound that its format states.
    case tooLarge
    /// A value is outside of what its format allows.
    case invalid
    /// CBOR that is well formed but not in the deterministic encoding (RFC 8949, section 4.2.1).
    case notDeterministic
    /// Text that is not UTF-8.
    case notUTF8
    /// CBOR nested deeper than ``CBOR/depthMax``.
    case tooDeep
  }

  /// The kind of fault.
  public let code: Code
  /// Offset in bytes, from the start of the input, at which the fault was found.
  public let offset: Int
}
