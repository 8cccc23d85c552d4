/// The name of a resource: `repository/type/tag`, as in `kbs:///repository/type/tag`.
public struct ResourcePath: Sendable, Hashable, CustomStringConvertible {
  /// Bytes of one part at most.
  public static let partBytesMax = 128

  /// Repository, type and tag.
  public let parts: [String]

  /// Reads `repository/type/tag`, each of letters, digits, `.`, `_` and `-`, not starting with `.`.
  public init(_ text: String) throws(KeyBrokerError) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3, parts.allSatisfy(Self.isPart) else {
      throw KeyBrokerError(
        .invalidPath,
        "resource path \(text.prefix(200)): expected repository/type/tag, each of "
          + "letters, digits, '.', '_', '-'")
    }
    self.parts = parts
  }

  /// The path, `repository/type/tag`.
  public var description: String { parts.joined(separator: "/") }

  static func isPart(_ part: String) -> Bool {
    !part.isEmpty && part.utf8.count <= partBytesMax && part.utf8.first != 0x2E
      && part.utf8.allSatisfy(isPartCharacter)
  }

  static func isPartCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
    default: false
    }
  }
}

/// A pattern over resource paths: each part literal, or ending in `*`, which stands for any rest.
public struct ResourcePattern: Sendable, Equatable {
  /// The pattern as written.
  public let text: String
  private let parts: [(prefix: String, isOpen: Bool)]

  /// Reads `repository/type/tag` with at most one `*` a part, at its end.
  public init(_ text: String) throws(KeyBrokerError) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { part in
      part.hasSuffix("*") ? (String(part.dropLast()), true) : (String(part), false)
    }
    guard parts.count == 3,
      parts.allSatisfy({ ResourcePath.isPart($0.0) || ($0.0.isEmpty && $0.1) })
    else {
      throw KeyBrokerError(
        .invalidPolicy,
        "resource pattern \(text.prefix(200)): expected repository/type/tag, "
          + "each part literal or ending in '*'")
    }
    self.text = text
    self.parts = parts.map { (prefix: $0.0, isOpen: $0.1) }
  }

  /// Whether `path` is one of those that the pattern names.
  public func names(_ path: ResourcePath) -> Bool {
    zip(parts, path.parts).allSatisfy { part, name in
      part.isOpen ? name.utf8.starts(with: part.prefix.utf8) : name == part.prefix
    }
  }

  /// Compares the text.
  public static func == (left: Self, right: Self) -> Bool { left.text == right.text }
}
