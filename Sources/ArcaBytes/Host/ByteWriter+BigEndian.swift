// What hosts write; a guest is compiled without this file.

extension ByteWriter {
  /// Appends a 16-bit little-endian integer.
  public mutating func u16(_ value: UInt16) { little(UInt64(value), 2) }

  /// Appends the low `count` bytes of `value`, most significant first; `count` is 1 to 8.
  public mutating func uintBE(_ value: UInt64, _ count: Int) {
    for index in stride(from: count - 1, through: 0, by: -1) {
      u8(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
    }
  }
}
