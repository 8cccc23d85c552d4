/// Reads fields from a byte array, refusing every read past its end.
///
/// No call traps on any input.
public struct ByteReader: Sendable {
  /// The input; offsets in errors count from its first byte.
  public let bytes: ArraySlice<UInt8>
  /// How many bytes have been read.
  public private(set) var offset = 0

  /// Reads from the first byte of `bytes`.
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes[...]
  }

  /// How many bytes are left.
  public var remaining: Int { bytes.count - offset }

  /// Reads `count` bytes.
  public mutating func slice(_ count: Int) throws(BytesError) -> ArraySlice<UInt8> {
    guard count >= 0, count <= remaining else { throw BytesError(code: .truncated, offset: offset) }
    let start = bytes.startIndex + offset
    offset += count
    return bytes[start..<start + count]
  }

  /// Reads one byte.
  public mutating func u8() throws(BytesError) -> UInt8 {
    let one = try slice(1)
    return one[one.startIndex]
  }

  /// Reads a big-endian integer of `count` bytes, 1 to 8.
  public mutating func uintBE(_ count: Int) throws(BytesError) -> UInt64 {
    var value: UInt64 = 0
    for byte in try slice(count) { value = value << 8 | UInt64(byte) }
    return value
  }

  /// Demands that every byte has been read.
  public func expectEnd() throws(BytesError) {
    guard remaining == 0 else { throw BytesError(code: .trailing, offset: offset) }
  }
}

extension BidirectionalCollection where Element == UInt8 {
  /// The number that these bytes are, at most 8, least significant first.
  public var littleEndian: UInt64 { reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}

extension FixedWidthInteger {
  /// The bytes of this number, least significant first.
  public var littleEndianBytes: [UInt8] {
    (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) }
  }
}
