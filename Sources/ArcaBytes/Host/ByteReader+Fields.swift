// What verifiers' formats need; a guest is compiled without this file.

// Integers are little-endian here.
extension ByteReader {
  /// Reads from the first byte of the slice `bytes`.
  public init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
  }

  /// Passes over `count` bytes.
  public mutating func skip(_ count: Int) throws(BytesError) {
    _ = try slice(count)
  }

  /// Reads a 16-bit little-endian integer.
  public mutating func u16() throws(BytesError) -> UInt16 {
    UInt16(truncatingIfNeeded: try slice(2).littleEndian)
  }

  /// Reads a 32-bit little-endian integer.
  public mutating func u32() throws(BytesError) -> UInt32 {
    UInt32(truncatingIfNeeded: try slice(4).littleEndian)
  }

  /// Reads a 64-bit little-endian integer.
  public mutating func u64() throws(BytesError) -> UInt64 { try slice(8).littleEndian }

  /// Reads `count` bytes into an array of their own.
  public mutating func array(_ count: Int) throws(BytesError) -> [UInt8] {
    Array(try slice(count))
  }
}
