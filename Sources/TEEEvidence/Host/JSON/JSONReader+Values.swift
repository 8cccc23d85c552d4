// What verifiers read of values; a guest compares their text, and is compiled without this file.

extension JSONReader {
  /// The next member's name, or nil where the object ends.
  public mutating func nextKey() throws(EvidenceError) -> JSONKey? {
    guard let name = try nextName() else { return nil }
    var key = JSONKey()
    for byte in bytes[name] { key.append(byte) }
    return key
  }

  /// Enters an array.
  public mutating func beginArray() throws(EvidenceError) {
    try expect(0x5B, "[")
    isFirst = true
  }

  /// Reads a string; its bytes, without quotes, may not contain an escape.
  public mutating func plainString() throws(EvidenceError) -> ArraySlice<UInt8> {
    let inside = try stringRange()
    guard !bytes[inside].contains(0x5C) else { throw error("string without escapes") }
    return bytes[inside]
  }

  /// Reads a string and resolves its escapes.
  public mutating func string() throws(EvidenceError) -> [UInt8] {
    let inside = try stringRange()
    guard bytes[inside].contains(0x5C) else { return Array(bytes[inside]) }
    guard let text = JSONEscapes.resolve(bytes[inside]) else { throw error("escape in string") }
    return text
  }

  /// Reads an integer from 0 to `max`, without fraction or exponent.
  public mutating func integer(max: UInt64) throws(EvidenceError) -> UInt64 {
    skipSpace()
    let start = offset
    var value: UInt64 = 0
    while offset < bytes.count, bytes[offset] >= 0x30, bytes[offset] <= 0x39 {
      let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow) = product.addingReportingOverflow(UInt64(bytes[offset] - 0x30))
      guard !tooLarge, !overflow, sum <= max else { throw error("integer") }
      value = sum
      offset += 1
    }
    guard offset > start, !(bytes[start] == 0x30 && offset - start > 1) else {
      throw error("integer")
    }
    return value
  }
}
