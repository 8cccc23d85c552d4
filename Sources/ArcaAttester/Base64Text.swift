import ArcaBytes

/// Base64 (RFC 4648): padded with the standard alphabet, or without padding and safe in URLs.
public enum Base64Text {
  /// The two forms that the key broker protocol uses.
  public enum Form: Sendable {
    /// Section 4, with padding.
    case standard
    /// Section 5, without padding.
    case url
  }

  private static func digits(_ form: Form) -> [UInt8] {
    [UInt8](ascii: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
      + [UInt8](ascii: form == .url ? "-_" : "+/")
  }

  /// The text of `bytes`.
  public static func encode(_ bytes: [UInt8], _ form: Form) -> Text {
    let digits = digits(form)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count / 3 * 4 + 4)
    var held: UInt32 = 0
    var bits: UInt32 = 0
    for byte in bytes {
      held = held << 8 | UInt32(byte)
      bits += 8
      while bits >= 6 {
        bits -= 6
        text.append(digits[Int(held >> bits & 63)])
      }
      held &= 0xff
    }
    if bits > 0 { text.append(digits[Int(held << (6 - bits) & 63)]) }
    while form == .standard, text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
    return Text(decoding: text, as: UTF8.self)
  }

  /// The bytes that `text` stands for; nil where it has another digit or length, or loose bits.
  public static func decode<Content: BidirectionalCollection>(
    _ text: Content, _ form: Form
  ) -> [UInt8]? where Content.Element == UInt8 {
    var values = [UInt32](repeating: 64, count: 256)
    for (value, digit) in digits(form).enumerated() { values[Int(digit)] = UInt32(value) }
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
      let value = values[Int(byte)]
      guard value < 64 else { return nil }
      held = held << 6 | value
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: held >> bits))
        held &= 1 << bits - 1
      }
    }
    return held == 0 ? bytes : nil
  }
}
