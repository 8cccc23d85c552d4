/// One 512-byte header block, its fields found but their meaning not yet settled
/// (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format").
struct TarHeader {
  static let blockBytes = 512

  let block: [UInt8]
  let isUstar: Bool
  let isGNU: Bool

  /// Nil where the checksum is wrong.
  init?(_ block: [UInt8]) {
    guard block.count == Self.blockBytes else { return nil }
    var unsigned = 0
    var signed = 0
    for (index, byte) in block.enumerated() {
      let counted = (148..<156).contains(index) ? UInt8(0x20) : byte
      unsigned += Int(counted)
      signed += Int(Int8(bitPattern: counted))
    }
    guard let stated = Self.number(block[148..<156]), stated == unsigned || stated == signed
    else { return nil }
    self.block = block
    isUstar = block[257..<263].elementsEqual("ustar\0".utf8)
    isGNU = block[257..<265].elementsEqual("ustar  \0".utf8)
  }

  var typeFlag: UInt8 { block[156] }
  var linkName: [UInt8] { text(157..<257) }

  /// The name, with ustar's prefix put before it.
  var name: [UInt8] {
    let name = text(0..<100)
    // GNU tar keeps times and the sparse map where ustar has the prefix.
    let prefix = isUstar ? text(345..<500) : []
    return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
  }

  /// The number in the field at `range`, or nil where it is none.
  func number(_ range: Range<Int>) -> Int64? { Self.number(block[range]) }

  private func text(_ range: Range<Int>) -> [UInt8] {
    Array(block[range].prefix { $0 != 0 })
  }

  /// An octal number ended by a NUL or space, or GNU's base-256 form; empty counts as zero.
  static func number(_ field: ArraySlice<UInt8>) -> Int64? {
    guard let first = field.first else { return nil }
    if first & 0x80 != 0 {
      // Two's complement over the whole field, bit 7 of the first byte being the marker.
      let negative = first & 0x40 != 0
      var value: Int64 = negative ? -1 : 0
      for (index, byte) in field.enumerated() {
        let low = index == 0 ? (negative ? byte | 0x80 : byte & 0x7f) : byte
        let (shifted, overflow) = value.multipliedReportingOverflow(by: 256)
        if overflow { return nil }
        value = shifted | Int64(low)
      }
      return value
    }
    var digits = field.drop { $0 == 0x20 }
    digits = digits.prefix { $0 != 0 && $0 != 0x20 }
    var value: Int64 = 0
    for byte in digits {
      guard (0x30...0x37).contains(byte), value <= Int64.max >> 3 else { return nil }
      value = value << 3 | Int64(byte - 0x30)
    }
    return value
  }
}
