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
      guard depth <= CBOR.depthMax else { throw BytesError(code: .tooDeep, offset: start) }
      items += 1
      guard items <= CBOR.itemsMax else { throw BytesError(code: .tooLarge, offset: start) }
      let initial = try reader.u8()
      switch (initial >> 5, initial) {
      case (0, _): return .unsigned(try argument(initial))
      case (2, _): return .bytes(try string(initial))
      case (3, _): return .text(try text(initial))
      case (4, _):
        var values: [CBOR] = []
        for _ in 0..<(try count(initial)) { values.append(try value(depth: depth + 1)) }
        return .array(values)
      case (5, _): return .map(try entries(initial, depth: depth))
      case (_, 0xf4), (_, 0xf5): return .bool(initial == 0xf5)
      case (_, 0xf6): return .null
      default: throw BytesError(code: .invalid, offset: start)
      }
    }

    mutating func entries(_ initial: UInt8, depth: Int) throws(BytesError) -> [CBOR.Entry] {
      var entries: [CBOR.Entry] = []
      for _ in 0..<(try count(initial)) {
        let start = reader.offset
        let keyInitial = try reader.u8()
        guard keyInitial >> 5 == 3 else { throw BytesError(code: .invalid, offset: start) }
        let key = try text(keyInitial)
        if let last = entries.last, !CBOR.precedes(last.key, key) {
          throw BytesError(code: .notDeterministic, offset: start)
        }
        entries.append(CBOR.Entry(key: key, value: try value(depth: depth + 1)))
      }
      return entries
    }

    /// The argument of an initial byte in its shortest form; anything longer is refused.
    mutating func argument(_ initial: UInt8) throws(BytesError) -> UInt64 {
      let start = reader.offset
      let low = initial & 31
      guard low >= 24 else { return UInt64(low) }
      guard low <= 27 else { throw BytesError(code: .invalid, offset: start) }
      let value = try reader.uintBE(1 << Int(low - 24))
      // The least value that has no shorter form.
      let least: [UInt64] = [24, 0x100, 0x1_0000, 0x1_0000_0000]
      guard value >= least[Int(low - 24)] else {
        throw BytesError(code: .notDeterministic, offset: start)
      }
      return value
    }

    /// A count of items, each of which takes at least one byte of what is left.
    mutating func count(_ initial: UInt8) throws(BytesError) -> Int {
      let start = reader.offset
      let value = try argument(initial)
      guard value <= UInt64(reader.remaining) else {
        throw BytesError(code: .truncated, offset: start)
      }
      return Int(value)
    }

    mutating func string(_ initial: UInt8) throws(BytesError) -> [UInt8] {
      Array(try reader.slice(try count(initial)))
    }

    mutating func text(_ initial: UInt8) throws(BytesError) -> [UInt8] {
      let start = reader.offset
      let bytes = try string(initial)
      guard isUTF8(bytes) else { throw BytesError(code: .notUTF8, offset: start) }
      return bytes
    }
  }
}

/// Whether `bytes` are well-formed UTF-8 (RFC 3629, section 4: no surrogates, no overlong forms).
public func isUTF8(_ bytes: [UInt8]) -> Bool {
  var rest = bytes.makeIterator()
  var parser = UTF8.ForwardParser()
  while true {
    switch parser.parseScalar(from: &rest) {
    case .valid: continue
    case .emptyInput: return true
    case .error: return false
    }
  }
}
