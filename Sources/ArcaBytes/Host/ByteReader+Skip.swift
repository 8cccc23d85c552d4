// What verifiers' formats need; a guest is compiled without this file.

extension ByteReader {
  /// Passes over `count` bytes.
  public mutating func skip(_ count: Int) throws(BytesError) {
    _ = try slice(count)
  }

  /// Reads a 16-bit little-endian integer.
  public mutating func u16() throws(BytesError) -> UInt16 {
    UInt16(truncatingIfNeeded: try little(2))
  }
}
