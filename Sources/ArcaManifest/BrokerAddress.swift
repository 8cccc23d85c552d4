import ArcaBytes

/// The parts of a key broker's URL.
public struct BrokerAddress: Sendable, Equatable {
  /// A host name or an IPv4 address; an IPv6 address without its brackets.
  public let host: [UInt8]
  /// The TCP port, 443 where the URL names none.
  public let port: UInt16
  /// What stands before `/kbs/v0/…`: empty, or a path that begins with a slash and does not end so.
  public let prefix: [UInt8]

  /// Takes `https://HOST[:PORT][/PREFIX]` apart; nil where it is anything else.
  public init?(url: String) {
    var rest = Array(url.utf8)[...]
    for byte in "https://".utf8 {
      guard rest.popFirst() == byte else { return nil }
    }
    guard rest.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
    let path = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
    var prefix = Array(rest[path...])
    if prefix.last == UInt8(ascii: "/") { prefix.removeLast() }
    guard prefix.allSatisfy({ $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }) else {
      return nil
    }
    var authority = rest[..<path]
    if authority.first == UInt8(ascii: "[") {
      guard let end = authority.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      host = Array(authority[authority.startIndex + 1..<end])
      guard host.allSatisfy({ Self.isHexadecimal($0) || $0 == UInt8(ascii: ":") }) else {
        return nil
      }
      authority = authority[(end + 1)...]
    } else {
      let end = authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.endIndex
      host = Array(authority[..<end])
      guard host.allSatisfy(Self.isNameByte) else { return nil }
      authority = authority[end...]
    }
    guard !host.isEmpty, host.count <= 253 else { return nil }
    if authority.isEmpty {
      port = 443
    } else {
      guard authority.popFirst() == UInt8(ascii: ":"), (1...5).contains(authority.count) else {
        return nil
      }
      var value = 0
      for byte in authority {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        value = value * 10 + Int(byte - UInt8(ascii: "0"))
      }
      guard (1...65_535).contains(value) else { return nil }
      port = UInt16(value)
    }
    self.prefix = prefix
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    isHexadecimal(byte) || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
      || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
      || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f"))
  }
}

/// Resource URIs of the key broker protocol.
public enum ResourceURI {
  /// `repository/type/tag` of `kbs:///repository/type/tag`; nil where it is anything else.
  public static func path(_ uri: String) -> [UInt8]? {
    var rest = Array(uri.utf8)[...]
    for byte in "kbs:///".utf8 {
      guard rest.popFirst() == byte else { return nil }
    }
    let parts = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    for part in parts {
      let isDots = part.allSatisfy { $0 == UInt8(ascii: ".") }
      guard !isDots, part.allSatisfy(isSegmentByte) else { return nil }
    }
    return Array(rest)
  }

  private static func isSegmentByte(_ byte: UInt8) -> Bool {
    (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
      || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
      || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
  }
}
