/// Appends fixed-width fields to a byte array; the counterpart of ``ByteReader``.
public struct ByteWriter: Sendable {
  /// What has been written.
  public private(set) var bytes: [UInt8]

  /// Starts empty, with room for `capacity` bytes.
  public init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// Appends one byte.
  public mutating func u8(_ value: UInt8) { bytes.append(value) }

  /// Appends a 32-bit little-endian integer.
  public mutating func u32(_ value: UInt32) { little(UInt64(value), 4) }

  /// Appends a 64-bit little-endian integer.
  public mutating func u64(_ value: UInt64) { little(value, 8) }

  /// Appends `content` as it is.
  public mutating func append<Content: Collection>(_ content: Content)
  where Content.Element == UInt8 {
    bytes.append(contentsOf: content)
  }

  /// Appends `count` zero bytes.
  public mutating func zeros(_ count: Int) {
    for _ in 0..<max(0, count) { bytes.append(0) }
  }

  mutating func little(_ value: UInt64, _ count: Int) {
    for index in 0..<count {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
    }
  }
}
