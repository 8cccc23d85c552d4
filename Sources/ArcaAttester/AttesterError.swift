/// Why bytes of the key broker, or of a client of the guest's local address, were refused.
public struct AttesterError: Error, Equatable, Sendable {
  /// The kind of fault.
  public enum Code: UInt8, Sendable {
    /// Not HTTP/1.1 of the kind that is read here.
    case http
    /// A head or body above its bound.
    case tooLarge
    /// Not JSON, or a member is missing or of another type.
    case json
    /// An algorithm, curve or length that is not the protocol's.
    case unsupported
  }

  /// The kind of fault.
  public let code: Code
  /// The part at fault.
  public let field: StaticString

  /// An error about `field`.
  public init(_ code: Code, _ field: StaticString) {
    self.code = code
    self.field = field
  }

  /// Compares the kind of fault.
  public static func == (left: Self, right: Self) -> Bool { left.code == right.code }
}
