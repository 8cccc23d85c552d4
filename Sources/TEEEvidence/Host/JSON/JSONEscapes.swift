/// Escapes in JSON strings (RFC 8259, section 7).
enum JSONEscapes {
  /// The UTF-8 bytes that `text` stands for, or nil where an escape is not valid.
  static func resolve(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var resolved: [UInt8] = []
    resolved.reserveCapacity(text.count)
    var at = text.startIndex
    while at < text.endIndex {
      let byte = text[at]
      at += 1
      guard byte == 0x5C else {
        resolved.append(byte)
        continue
      }
      guard at < text.endIndex else { return nil }
      let kind = text[at]
      at += 1
      switch kind {
      case 0x22, 0x5C, 0x2F: resolved.append(kind)
      case 0x62: resolved.append(0x08)
      case 0x66: resolved.append(0x0C)
      case 0x6E: resolved.append(0x0A)
      case 0x72: resolved.append(0x0D)
      case 0x74: resolved.append(0x09)
      case 0x75:
        guard let scalar = scalar(text, &at) else { return nil }
        resolved.append(contentsOf: Array(String(Character(scalar)).utf8))
      default: return nil
      }
    }
    return resolved
  }

  private static func scalar(_ text: ArraySlice<UInt8>, _ at: inout Int) -> Unicode.Scalar? {
    guard let first = unit(text, &at) else { return nil }
    guard first >> 10 == 0x36 else { return Unicode.Scalar(first) }
    guard text.endIndex - at >= 6, text[at] == 0x5C, text[at + 1] == 0x75 else { return nil }
    at += 2
    guard let second = unit(text, &at), second >> 10 == 0x37 else { return nil }
    return Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + second & 0x3FF)
  }

  private static func unit(_ text: ArraySlice<UInt8>, _ at: inout Int) -> UInt32? {
    guard text.endIndex - at >= 4 else { return nil }
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = JSONHex.value(text[at]) else { return nil }
      value = value << 4 | UInt32(digit)
      at += 1
    }
    return value
  }
}

/// Hexadecimal text as JSON documents of vendors hold it, in either case.
public enum JSONHex {
  /// The bytes that the pairs of digits in `text` spell, or nil where there is anything else.
  public static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard text.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2)
    var at = text.startIndex
    while at < text.endIndex {
      guard let high = value(text[at]), let low = value(text[at + 1]) else { return nil }
      bytes.append(high << 4 | low)
      at += 2
    }
    return bytes
  }

  static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x41...0x46: digit - 0x37
    case 0x61...0x66: digit - 0x57
    default: nil
    }
  }
}
