import ArcaBytes

/// Extended attributes in the form in which they follow an inode
/// (Linux, fs/erofs/erofs_fs.h, `erofs_xattr_ibody_header` and `erofs_xattr_entry`).
enum ErofsAttributes {
  private static let prefixes: [(index: UInt8, text: [UInt8])] = [
    (1, Array("user.".utf8)),
    (2, Array("system.posix_acl_access".utf8)),
    (3, Array("system.posix_acl_default".utf8)),
    (4, Array("trusted.".utf8)),
    (6, Array("security.".utf8)),
  ]
  private static let headerBytes = 12

  /// The number that stands for the start of `name`, and that start's length; nil for a name of a
  /// kind that the format cannot hold.
  static func prefix(of name: [UInt8]) -> (index: UInt8, byteCount: Int)? {
    for (index, text) in prefixes {
      // The two access control lists are whole names; all others need something after the dot.
      let isWhole = text.last != UInt8(ascii: ".")
      if isWhole ? name == text : name.count > text.count && name.starts(with: text) {
        return (index, text.count)
      }
    }
    return nil
  }

  /// The bytes for `attributes`, empty for none; nil where they do not fit into the format.
  static func encode(_ attributes: [[UInt8]: [UInt8]]) -> [UInt8]? {
    guard !attributes.isEmpty else { return [] }
    var writer = ByteWriter(capacity: 64)
    writer.zeros(headerBytes)
    for (name, value) in attributes.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      guard let (index, prefixBytes) = prefix(of: name), name.count - prefixBytes <= 255,
        let valueBytes = UInt16(exactly: value.count)
      else { return nil }
      writer.u8(UInt8(name.count - prefixBytes))
      writer.u8(index)
      writer.u16(valueBytes)
      writer.append(name.dropFirst(prefixBytes))
      writer.append(value)
      writer.zeros((4 - writer.bytes.count % 4) % 4)
    }
    return count(writer.bytes) == nil ? nil : writer.bytes
  }

  /// The value of `i_xattr_icount` for encoded attributes; nil where it has no room.
  static func count(_ encoded: [UInt8]) -> UInt16? {
    encoded.isEmpty ? 0 : UInt16(exactly: (encoded.count - headerBytes) / 4 + 1)
  }
}
