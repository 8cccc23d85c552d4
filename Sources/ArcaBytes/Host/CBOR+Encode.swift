// What writes CBOR; a guest reads it alone, and is compiled without this file.

extension CBOR {
  /// The deterministic encoding of the value.
  public func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 256)
    write(to: &writer)
    return writer.bytes
  }

  private func write(to writer: inout ByteWriter) {
    switch self {
    case .unsigned(let value): Self.head(0, value, &writer)
    case .bytes(let bytes):
      Self.head(2, UInt64(bytes.count), &writer)
      writer.append(bytes)
    case .text(let text):
      Self.head(3, UInt64(text.count), &writer)
      writer.append(text)
    case .array(let items):
      Self.head(4, UInt64(items.count), &writer)
      for item in items { item.write(to: &writer) }
    case .map(let entries):
      Self.head(5, UInt64(entries.count), &writer)
      for entry in entries.sorted(by: { Self.precedes($0.key, $1.key) }) {
        CBOR.text(entry.key).write(to: &writer)
        entry.value.write(to: &writer)
      }
    case .bool(let value): writer.u8(value ? 0xf5 : 0xf4)
    case .null: writer.u8(0xf6)
    }
  }

  private static func head(_ major: UInt8, _ value: UInt64, _ writer: inout ByteWriter) {
    switch value {
    case 0..<24: writer.u8(major << 5 | UInt8(value))
    case 24..<0x100:
      writer.u8(major << 5 | 24)
      writer.uintBE(value, 1)
    case 0x100..<0x1_0000:
      writer.u8(major << 5 | 25)
      writer.uintBE(value, 2)
    case 0x1_0000..<0x1_0000_0000:
      writer.u8(major << 5 | 26)
      writer.uintBE(value, 4)
    default:
      writer.u8(major << 5 | 27)
      writer.uintBE(value, 8)
    }
  }
}

extension CBOR.Entry {
  /// Pairs `key` with `value`.
  public init(_ key: [UInt8], _ value: CBOR) {
    self.init(key: key, value: value)
  }
}
