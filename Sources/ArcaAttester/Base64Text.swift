/// Base64 (RFC 4648): padded with the standard alphabet, or without padding and safe in URLs.
public enum Base64Text {
  /// The two forms that the key broker protocol uses.
  public enum Form: Sendable {
    /// Section 4, with padding.
    case standard
    /// Section 5, without padding.
    case url
  }

  /// The text of `bytes`.
  public static func encode(_ bytes: [UInt8], _ form: Form) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count / 3 * 4 + 4)
    var held: UInt32 = 0
    var bits: UInt32 = 0
    for byte in bytes {
      held = held << 8 | UInt32(byte)
      bits += 8
      while bits >= 6 {
        bits -= 6
        text.append(digit(UInt8(held >> bits & 63), form))
      }
      held &= 0xff
    }
    if bits > 0 { text.append(digit(UInt8(held << (6 - bits) & 63), form)) }
    while form == .standard, text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
    return text
  }

  /// The bytes that `text` stands for; nil where it has another digit or length, or loose bits.
  public static func decode<Text: BidirectionalCollection>(
    _ text: Text, _ form: Form
  ) -> [UInt8]? where Text.Element == UInt8 {
    var digits = text[...]
    if form == .standard {
      guard text.count % 4 == 0 else { return nil }
      for _ in 0..<2 where digits.last == UInt8(ascii: "=") { digits.removeLast() }
    }
    guard digits.count % 4 != 1 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3 + 3)
    var held: UInt32 = 0
    var bits: UInt32 = 0
    for byte in digits {
      guard let value = value(byte, form) else { return nil }
      held = held << 6 | UInt32(value)
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: held >> bits))
        held &= 1 << bits - 1
      }
    }
    return held == 0 ? bytes : nil
  }

  private static func digit(_ value: UInt8, _ form: Form) -> UInt8 {
    switch value {
    case 0..<26: UInt8(ascii: "A") + value
    case 26..<52: UInt8(ascii: "a") + value - 26
    case 52..<62: UInt8(ascii: "0") + value - 52
    case 62: form == .url ? UInt8(ascii: "-") : UInt8(ascii: "+")
    default: form == .url ? UInt8(ascii: "_") : UInt8(ascii: "/")
    }
  }

  private static func value(_ digit: UInt8, _ form: Form) -> UInt8? {
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): return digit - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): return digit - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return digit - UInt8(ascii: "0") + 52
    case form == .url ? UInt8(ascii: "-") : UInt8(ascii: "+"): return 62
    case form == .url ? UInt8(ascii: "_") : UInt8(ascii: "/"): return 63
    default: return nil
    }
  }
}
