/// The subset of CBOR (RFC 8949) that Arca uses, in its deterministic encoding (section 4.2.1).
///
/// Integers, byte strings, UTF-8 text, arrays, maps, booleans and null; no floats, no tags, no
/// indefinite lengths. Decoding accepts exactly what encoding produces, so a value has one encoding
/// and a digest over it names the value.
public indirect enum CBOR: Sendable {
  /// An unsigned integer (major type 0).
  case unsigned(UInt64)
  /// A byte string (major type 2).
  case bytes([UInt8])
  /// A text string (major type 3), as UTF-8.
  case text([UInt8])
  /// An array (major type 4).
  case array([CBOR])
  /// A map with text keys (major type 5); its entries are sorted when it is encoded.
  case map([Entry])
  /// `true` or `false`.
  case bool(Bool)
  /// `null`.
  case null

  /// A key and its value in a map.
  public struct Entry: Sendable {
    /// The key, as UTF-8.
    public let key: [UInt8]
    /// The value.
    public let value: CBOR

    /// Pairs `key` with `value`.
    public init(_ key: [UInt8], _ value: CBOR) {
      self.key = key
      self.value = value
    }
  }

  /// How deep arrays and maps may nest.
  public static let depthMax = 16
  /// How many items, nested ones counted, one input may hold.
  public static let itemsMax = 65_536

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

  /// Whether the encoding of text key `a` sorts before that of `b`: shorter first, then bytewise,
  /// which is the bytewise order of their encodings.
  static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    if a.count != b.count { return a.count < b.count }
    for index in a.indices where a[index] != b[index] { return a[index] < b[index] }
    return false
  }
}
