/// The records of a pax extended header (POSIX.1-2017 pax, "pax Extended Header").
struct PaxRecords {
  /// The last value of each keyword.
  private(set) var values: [[UInt8]: [UInt8]] = [:]
  /// `GNU.sparse.offset` and `GNU.sparse.numbytes` in order: format 0.0 repeats them.
  private(set) var sparsePairs: [[UInt8]] = []

  init() {}

  /// Nil where the bytes are not whole records.
  init?(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let space = rest.prefix(20).firstIndex(of: 0x20),
        let length = Self.decimal(rest[..<space]), length <= UInt64(rest.count),
        length > UInt64(space - rest.startIndex + 1)
      else { return nil }
      let record = rest.prefix(Int(length))
      let body = record[(space + 1)...]
      guard body.last == 0x0a, let equals = body.firstIndex(of: UInt8(ascii: "=")),
        equals > body.startIndex
      else { return nil }
      let key = Array(body[..<equals])
      let value = Array(body[(equals + 1)..<(body.endIndex - 1)])
      if key.elementsEqual("GNU.sparse.offset".utf8)
        || key.elementsEqual("GNU.sparse.numbytes".utf8)
      {
        sparsePairs.append(value)
      } else {
        values[key] = value
      }
      rest = rest.dropFirst(Int(length))
    }
  }

  /// The value of `keyword`; an empty one cancels the keyword and counts as none.
  subscript(_ keyword: String) -> [UInt8]? {
    guard let value = values[Array(keyword.utf8)], !value.isEmpty else { return nil }
    return value
  }

  /// These records with those of `other` put over them.
  func overlaid(with other: PaxRecords) -> PaxRecords {
    var merged = self
    merged.values.merge(other.values) { _, new in new }
    merged.sparsePairs = other.sparsePairs
    return merged
  }

  /// The extended attributes, by full name; nil where a name or value is malformed.
  var attributes: [[UInt8]: [UInt8]]? {
    var found: [[UInt8]: [UInt8]] = [:]
    let plain = Array("SCHILY.xattr.".utf8)
    let encoded = Array("LIBARCHIVE.xattr.".utf8)
    for (key, value) in values where key.starts(with: encoded) {
      guard let name = Self.percentDecoded(key.dropFirst(encoded.count)),
        let bytes = Self.base64Decoded(value)
      else { return nil }
      found[name] = bytes
    }
    // libarchive writes both forms: this one needs no decoding and is taken.
    for (key, value) in values where key.starts(with: plain) {
      found[Array(key.dropFirst(plain.count))] = value
    }
    return found
  }

  /// The decimal number that `digits` spell.
  static func decimal<Digits: Collection>(_ digits: Digits) -> UInt64?
  where Digits.Element == UInt8 {
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in digits {
      guard (0x30...0x39).contains(byte) else { return nil }
      let (product, over) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
      if over || carry { return nil }
      value = sum
    }
    return value
  }

  /// Whole seconds of a decimal time such as `-1.5`, rounded down.
  static func seconds(_ text: [UInt8]) -> Int64? {
    let negative = text.first == UInt8(ascii: "-")
    let parts = text.dropFirst(negative ? 1 : 0)
      .split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let whole = decimal(first),
      let seconds = Int64(exactly: whole)
    else { return nil }
    let fraction = parts.dropFirst().first ?? []
    guard fraction.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    guard negative else { return seconds }
    return fraction.contains { $0 != 0x30 } ? -seconds - 1 : -seconds
  }

  private static func percentDecoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(hexDigit),
        let low = rest.popFirst().flatMap(hexDigit)
      else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init)
  }

  private static func base64Decoded(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for byte in text.prefix(while: { $0 != UInt8(ascii: "=") }) {
      let value: UInt8
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - 65
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - 71
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte + 4
      case UInt8(ascii: "+"): value = 62
      case UInt8(ascii: "/"): value = 63
      default: return nil
      }
      bits = bits << 6 | UInt32(value)
      count += 6
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return bytes
  }
}
