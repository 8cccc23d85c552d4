extension CBOR {
  /// Decodes one value that fills `bytes`, refusing every encoding that is not deterministic.
  public static func decode(_ bytes: [UInt8]) throws(BytesError) -> CBOR {
    var decoder = Decoder(reader: ByteReader(bytes))
    let value = try decoder.value(depth: 0)
    try decoder.reader.expectEnd()
    return value
  }

  private struct Decoder {
    var reader: ByteReader
    var items = 0

    mutating func value(depth: Int) throws(BytesError) -> CBOR {
      let start = reader.offset
      guard depth <= CBOR.depthMax else { throw BytesError(.tooDeep, at: start) }
      items += 1
      guard items <= CBOR.itemsMax else { throw BytesError(.tooLarge, at: start) }
      let initial = try reader.u8()
      switch initial >> 5 {
      case 0: return .unsigned(try argument(initial))
      case 2: return .bytes(try string(initial))
      case 3: return .text(try text(initial))
      case 4:
        var values: [CBOR] = []
        for _ in 0..<(try count(initial)) { values.append(try value(depth: depth + 1)) }
        return .array(values)
      case 5: return .map(try entries(initial, depth: depth))
      default: break
      }
      switch initial {
      case 0xf4: return .bool(false)
      case 0xf5: return .bool(true)
      case 0xf6: return .null
      default: throw BytesError(.invalid, at: start)
      }
    }

    mutating func entries(_ initial: UInt8, depth: Int) throws(BytesError) -> [CBOR.Entry] {
      var entries: [CBOR.Entry] = []
      for _ in 0..<(try count(initial)) {
        let start = reader.offset
        let keyInitial = try reader.u8()
        guard keyInitial >> 5 == 3 else { throw BytesError(.invalid, at: start) }
        let key = try text(keyInitial)
        if let last = entries.last, !CBOR.precedes(last.key, key) {
          throw BytesError(.notDeterministic, at: start)
        }
        entries.append(CBOR.Entry(key, try value(depth: depth + 1)))
      }
      return entries
    }

    /// The argument of an initial byte in its shortest form; anything longer is refused.
    mutating func argument(_ initial: UInt8) throws(BytesError) -> UInt64 {
      let start = reader.offset
      let low = initial & 31
      let value: UInt64
      let least: UInt64
      switch low {
      case 0..<24: return UInt64(low)
      case 24: (value, least) = (try reader.uintBE(1), 24)
      case 25: (value, least) = (try reader.uintBE(2), 0x100)
      case 26: (value, least) = (try reader.uintBE(4), 0x1_0000)
      case 27: (value, least) = (try reader.uintBE(8), 0x1_0000_0000)
      default: throw BytesError(.invalid, at: start)
      }
      guard value >= least else { throw BytesError(.notDeterministic, at: start) }
      return value
    }

    /// A count of items, each of which takes at least one byte of what is left.
    mutating func count(_ initial: UInt8) throws(BytesError) -> Int {
      let start = reader.offset
      let value = try argument(initial)
      guard value <= UInt64(reader.remaining) else { throw BytesError(.truncated, at: start) }
      return Int(value)
    }

    mutating func string(_ initial: UInt8) throws(BytesError) -> [UInt8] {
      try reader.array(try count(initial))
    }

    mutating func text(_ initial: UInt8) throws(BytesError) -> [UInt8] {
      let start = reader.offset
      let bytes = try string(initial)
      guard isUTF8(bytes) else { throw BytesError(.notUTF8, at: start) }
      return bytes
    }
  }
}

/// Whether `bytes` are well-formed UTF-8 (RFC 3629, section 4: no surrogates, no overlong forms).
public func isUTF8(_ bytes: [UInt8]) -> Bool {
  var index = 0
  while index < bytes.count {
    let first = bytes[index]
    let length: Int
    var low: UInt8 = 0x80
    var high: UInt8 = 0xbf
    switch first {
    case 0..<0x80: length = 0
    case 0xc2...0xdf: length = 1
    case 0xe0...0xef:
      length = 2
      if first == 0xe0 { low = 0xa0 }
      if first == 0xed { high = 0x9f }
    case 0xf0...0xf4:
      length = 3
      if first == 0xf0 { low = 0x90 }
      if first == 0xf4 { high = 0x8f }
    default: return false
    }
    guard index + length < bytes.count else { return false }
    for step in 0..<length {
      let byte = bytes[index + 1 + step]
      guard byte >= low, byte <= high else { return false }
      (low, high) = (0x80, 0xbf)
    }
    index += length + 1
  }
  return true
}
