import ArcaBytes

/// Pulls values out of JSON (RFC 8259) in one pass over its bytes, without a tree in between.
///
/// Vendors sign collateral as the exact bytes of an inner object, so the reader tells where each
/// value starts and ends. It accepts UTF-8 as it is and bounds depth; it never traps.
public struct JSONReader: Sendable {
  /// Values nested deeper than this are refused.
  public static let depthMax = 16

  let bytes: [UInt8]
  /// Offset of the next byte to read.
  public internal(set) var offset = 0
  // Right after an opening bracket no comma is due. Every other state demands one, so a single
  // flag serves all levels.
  var isFirst = false

  /// Reads from the first byte of `bytes`.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Enters an object.
  public mutating func beginObject() throws(EvidenceError) {
    try expect(0x7B, "{")
    isFirst = true
  }

  /// Where the next member's name is, which holds no escapes; nil where the object ends.
  public mutating func nextName() throws(EvidenceError) -> Range<Int>? {
    guard try hasNext(close: 0x7D) else { return nil }
    let name = try stringRange()
    guard !bytes[name].contains(0x5C) else { throw error("member name") }
    try expect(0x3A, ":")
    return name
  }

  /// Whether the array has another element; leaves the array where it has none.
  public mutating func nextElement() throws(EvidenceError) -> Bool {
    try hasNext(close: 0x5D)
  }

  /// Passes over one value of any kind and returns where it is, without space around it.
  @discardableResult
  public mutating func skipValue() throws(EvidenceError) -> Range<Int> {
    skipSpace()
    let start = offset
    try skipValue(depth: 0)
    return start..<offset
  }

  /// Passes over white space.
  public mutating func skipSpace() {
    func isSpace(_ byte: UInt8) -> Bool {
      byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }
    while offset < bytes.count, isSpace(bytes[offset]) { offset += 1 }
  }

  /// Demands that nothing but white space follows.
  public mutating func expectEnd() throws(EvidenceError) {
    skipSpace()
    guard offset == bytes.count else {
      throw EvidenceError(.trailing, "JSON", at: offset)
    }
  }

  private mutating func skipValue(depth: Int) throws(EvidenceError) {
    guard depth < JSONReader.depthMax else {
      throw EvidenceError(.tooLarge, "JSON depth", at: offset)
    }
    guard offset < bytes.count else { throw error("value") }
    let kind = bytes[offset]
    switch kind {
    case 0x7B, 0x5B:
      offset += 1
      isFirst = true
      while try kind == 0x7B ? nextName() != nil : nextElement() {
        skipSpace()
        try skipValue(depth: depth + 1)
      }
    case 0x22: _ = try stringRange()
    default: try skipScalar()
    }
  }

  /// Passes over a number, true, false or null: a run of the characters that these are made of.
  private mutating func skipScalar() throws(EvidenceError) {
    let count = bytes[offset...].prefix { $0.isNameByte(or: "+-.") }.count
    guard count > 0 else { throw error("value") }
    offset += count
  }

  private mutating func hasNext(close: UInt8) throws(EvidenceError) -> Bool {
    skipSpace()
    guard offset < bytes.count else { throw error("object or array") }
    let first = isFirst
    isFirst = false
    if bytes[offset] == close {
      offset += 1
      return false
    }
    if !first { try expect(0x2C, ",") }
    return true
  }

  mutating func stringRange() throws(EvidenceError) -> Range<Int> {
    try expect(0x22, "string")
    let start = offset
    while offset < bytes.count {
      let byte = bytes[offset]
      offset += 1
      if byte == 0x22 { return start..<offset - 1 }
      if byte == 0x5C { offset += 1 }
    }
    throw error("string")
  }

  mutating func expect(_ byte: UInt8, _ what: StaticString) throws(EvidenceError) {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == byte else { throw error(what) }
    offset += 1
  }

  func error(_ field: StaticString) -> EvidenceError {
    EvidenceError(.invalid, field, at: offset)
  }
}
