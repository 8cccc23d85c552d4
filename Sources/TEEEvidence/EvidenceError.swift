/// What was wrong with evidence or an endorsement that was being parsed.
public struct EvidenceError: Error, Sendable {
  /// The kind of fault; tests and callers compare this, never a text.
  public enum Code: UInt8, Sendable {
    /// Fewer bytes than the format needs.
    case truncated
    /// Bytes after the end of the format.
    case trailing
    /// A length or count above the bound of its format.
    case tooLarge
    /// A version that no known specification defines.
    case unknownVersion
    /// A type or algorithm number that no known specification defines.
    case unknownType
    /// A value outside of what its format allows.
    case invalid
    /// A field that its format demands is absent.
    case missing
  }

  /// The kind of fault.
  public let code: Code
  /// The field at fault, as the vendor's specification spells it.
  public let field: StaticString
  /// Offset in bytes from the start of the document, or -1 where none is known.
  public let offset: Int

  /// Creates an error about `field`.
  public init(_ code: Code, _ field: StaticString, at offset: Int = -1) {
    self.code = code
    self.field = field
    self.offset = offset
  }
}
