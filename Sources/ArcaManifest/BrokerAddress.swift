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
  public init?(url: Text) {
    let scheme = [UInt8](ascii: "https://")
    let rest = Array(url.utf8.dropFirst(scheme.count))
    guard url.utf8.starts(with: scheme), rest.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      return nil
    }
    let path = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
    var prefix = Array(rest[path...])
    if prefix.last == UInt8(ascii: "/") { prefix.removeLast() }
    guard !prefix.contains(UInt8(ascii: "?")), !prefix.contains(UInt8(ascii: "#")) else {
      return nil
    }
    self.prefix = prefix
    var authority = rest[..<path]
    let isAddress = authority.first == UInt8(ascii: "[")
    if isAddress { authority.removeFirst() }
    let end = UInt8(ascii: isAddress ? "]" : ":")
    host = Array(authority.prefix { $0 != end })
    authority = authority.dropFirst(host.count)
    guard (1...253).contains(host.count), !isAddress || authority.popFirst() == end,
      host.allSatisfy({ byte in
        isAddress ? Digits.value(byte) != nil || byte == 0x3a : byte.isNameByte(or: "-.")
      })
    else { return nil }
    guard let colon = authority.popFirst() else {
      port = 443
      return
    }
    guard colon == UInt8(ascii: ":"), let value = Digits.number(authority, digitsMax: 5),
      let port = UInt16(exactly: value), port > 0
    else { return nil }
    self.port = port
  }
}

/// Resource URIs of the key broker protocol.
public enum ResourceURI {
  /// `repository/type/tag` of `kbs:///repository/type/tag`; nil where it is anything else.
  public static func path(_ uri: Text) -> [UInt8]? {
    let scheme = [UInt8](ascii: "kbs:///")
    let path = Array(uri.utf8.dropFirst(scheme.count))
    let parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard uri.utf8.starts(with: scheme), parts.count == 3 else { return nil }
    for part in parts {
      let isDots = part.allSatisfy { $0 == UInt8(ascii: ".") }
      guard !isDots, part.allSatisfy({ $0.isNameByte(or: "-._") }) else { return nil }
    }
    return path
  }
}
