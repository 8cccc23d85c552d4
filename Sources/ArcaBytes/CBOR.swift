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
  }

  /// How deep arrays and maps may nest.
  public static let depthMax = 16
  /// How many items, nested ones counted, one input may hold.
  public static let itemsMax = 65_536

  /// Whether the encoding of text key `a` sorts before that of `b`: shorter first, then bytewise,
  /// which is the bytewise order of their encodings.
  static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    a.count == b.count ? a.lexicographicallyPrecedes(b) : a.count < b.count
  }
}
