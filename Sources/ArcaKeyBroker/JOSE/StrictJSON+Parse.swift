extension StrictJSON {
  /// Values nested deeper than this are refused.
  public static let depthMax = 16
  /// A text of more bytes is refused.
  public static let bytesMax = 8 << 20

  /// Reads the one value that `bytes` hold.
  public init(parsing bytes: [UInt8]) throws(KeyBrokerError) {
    guard bytes.count <= Self.bytesMax else {
      throw KeyBrokerError(.tooLarge, "JSON: \(bytes.count) bytes, at most \(Self.bytesMax)")
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw KeyBrokerError(.malformed, "JSON: not UTF-8")
    }
    var parser = JSONParser(bytes: bytes)
    self = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.offset == bytes.count else { throw parser.fault("the end") }
  }
}

/// Reads a JSON text from the left; never traps.
private struct JSONParser {
  let bytes: [UInt8]
  var offset = 0

  func fault(_ expected: String) -> KeyBrokerError {
    KeyBrokerError(.malformed, "JSON: expected \(expected) at byte \(offset)")
  }

  var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
      offset += 1
    }
  }

  mutating func value(depth: Int) throws(KeyBrokerError) -> StrictJSON {
    guard depth < StrictJSON.depthMax else {
      throw KeyBrokerError(.tooLarge, "JSON: nested deeply")
    }
    skipSpace()
    switch next {
    case 0x7B: return try object(depth)
    case 0x5B: return try array(depth)
    case 0x22: return .string(try string())
    case 0x74: return try literal("true", .bool(true))
    case 0x66: return try literal("false", .bool(false))
    case 0x6E: return try literal("null", .null)
    case .some(0x30...0x39): return .number(try number())
    default: throw fault("a value")
    }
  }

  private mutating func literal(
    _ word: StaticString, _ value: StrictJSON
  ) throws(KeyBrokerError) -> StrictJSON {
    let letters = Array(word.description.utf8)
    guard bytes[offset...].starts(with: letters) else { throw fault("\(word)") }
    offset += letters.count
    return value
  }

  private mutating func number() throws(KeyBrokerError) -> UInt64 {
    let start = offset
    var value: UInt64 = 0
    while let byte = next, (0x30...0x39).contains(byte) {
      let (product, over) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
      guard !over, !carry else { throw fault("a number of 64 bits") }
      value = sum
      offset += 1
    }
    let isPlain = offset - start == 1 || bytes[start] != 0x30
    if let byte = next, byte == 0x2E || byte == 0x65 || byte == 0x45 {
      throw fault("a whole number")
    }
    guard isPlain else { throw fault("a number without leading zero") }
    return value
  }

  private mutating func object(_ depth: Int) throws(KeyBrokerError) -> StrictJSON {
    offset += 1
    var members: [StrictJSON.Member] = []
    // Few names are compared one by one; of many a set tells which are there.
    var names: Set<String> = []
    skipSpace()
    if next == 0x7D {
      offset += 1
      return .object([])
    }
    while true {
      skipSpace()
      guard next == 0x22 else { throw fault("a member name") }
      let name = try string()
      if members.count == Self.fewMax { names = Set(members.map(\.name)) }
      let isNew =
        members.count < Self.fewMax
        ? !members.contains { $0.name == name } : names.insert(name).inserted
      guard isNew else { throw fault("one member \(name)") }
      skipSpace()
      guard next == 0x3A else { throw fault("a colon") }
      offset += 1
      members.append(.init(name, try value(depth: depth + 1)))
      if try isLast(0x7D) { return .object(members) }
    }
  }

  private static let fewMax = 16

  private mutating func array(_ depth: Int) throws(KeyBrokerError) -> StrictJSON {
    offset += 1
    if let octets = octets() { return .octets(octets) }
    var elements: [StrictJSON] = []
    skipSpace()
    if next == 0x5D {
      offset += 1
      return .array([])
    }
    while true {
      elements.append(try value(depth: depth + 1))
      if try isLast(0x5D) { return .array(elements) }
    }
  }

  // An array of whole numbers below 256, or nil, and nothing read, where it is anything else: the
  // bytes of certificates and reports are most of what is sent.
  private mutating func octets() -> [UInt8]? {
    // A copy of the reference, so that reading does not count as using the parser.
    let source = bytes
    let text = source.span
    var at = offset
    var octets: [UInt8] = []
    func isSpace(_ byte: UInt8) -> Bool {
      byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
    while true {
      while at < text.count, isSpace(text[at]) { at += 1 }
      let start = at
      var value = 0
      while at < text.count, case 0x30...0x39 = text[at], at - start < 4 {
        value = value * 10 + Int(text[at] - 0x30)
        at += 1
      }
      guard at > start, value < 256, at - start == 1 || text[start] != 0x30 else { return nil }
      octets.append(UInt8(value))
      while at < text.count, isSpace(text[at]) { at += 1 }
      guard at < text.count, text[at] == 0x2C || text[at] == 0x5D else { return nil }
      at += 1
      if text[at - 1] == 0x5D { break }
    }
    offset = at
    return octets
  }

  private mutating func isLast(_ close: UInt8) throws(KeyBrokerError) -> Bool {
    skipSpace()
    guard next == close || next == 0x2C else { throw fault("a comma or the end") }
    offset += 1
    return bytes[offset - 1] == close
  }

  private mutating func string() throws(KeyBrokerError) -> String {
    offset += 1
    let source = bytes
    let all = source.span
    var at = offset
    while at < all.count, all[at] >= 0x20, all[at] != 0x22, all[at] != 0x5C { at += 1 }
    var text = source[offset..<at]
    offset = at
    while let byte = next {
      offset += 1
      switch byte {
      case 0x22: return String(decoding: text, as: UTF8.self)
      case 0x5C: try escape(&text)
      case 0..<0x20: throw fault("no control character")
      default: text.append(byte)
      }
    }
    throw fault("a closing quote")
  }

  private mutating func escape(_ text: inout ArraySlice<UInt8>) throws(KeyBrokerError) {
    guard let letter = next else { throw fault("an escape") }
    offset += 1
    let short: [UInt8: UInt8] = [
      0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 8, 0x66: 12, 0x6E: 10, 0x72: 13, 0x74: 9,
    ]
    if let byte = short[letter] {
      text.append(byte)
      return
    }
    guard letter == 0x75 else { throw fault("an escape") }
    var code = try hex4()
    if (0xD800..<0xDC00).contains(code) {
      guard bytes[offset...].starts(with: [0x5C, 0x75]) else { throw fault("a low surrogate") }
      offset += 2
      let low = try hex4()
      guard (0xDC00..<0xE000).contains(low) else { throw fault("a low surrogate") }
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw fault("a scalar value") }
    text += String(Character(scalar)).utf8
  }

  private mutating func hex4() throws(KeyBrokerError) -> UInt32 {
    guard offset + 4 <= bytes.count,
      let digits = String(validating: bytes[offset..<offset + 4], as: UTF8.self),
      digits.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }), let code = UInt32(digits, radix: 16)
    else { throw fault("four hexadecimal digits") }
    offset += 4
    return code
  }
}
