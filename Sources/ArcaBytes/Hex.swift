/// Lowercase hexadecimal text.
public enum Hex {
  /// The hexadecimal text of `bytes`, two digits a byte.
  public static func encode<Content: Collection>(_ bytes: Content) -> Text
  where Content.Element == UInt8 {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      text.append(digit(byte >> 4))
      text.append(digit(byte & 15))
    }
    return Text(decoding: text, as: UTF8.self)
  }

  /// The bytes that `text` spells, or nil where it holds anything but pairs of digits.
  public static func decode(_ text: Text) -> [UInt8]? {
    let values = text.utf8.compactMap(Digits.value)
    guard values.count == text.utf8.count, values.count % 2 == 0 else { return nil }
    return stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
  }

  /// The digit of a value below 16.
  public static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? 48 + value : 87 + value
  }
}

extension UInt8 {
  /// Whether this is a letter or digit of ASCII, or one of `others`.
  public func isNameByte(or others: StaticString) -> Bool {
    (0x30...0x39).contains(self) || (0x61...0x7a).contains(self | 0x20)
      || [UInt8](ascii: others).contains(self)
  }
}

/// Numbers as text.
public enum Digits {
  /// What one decimal or hexadecimal digit, in either case, stands for; nil for anything else.
  public static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x41...0x46: digit - 0x37
    case 0x61...0x66: digit - 0x57
    default: nil
    }
  }

  /// The number that 1 to `digitsMax` digits stand for; nil for anything else.
  public static func number<Content: Collection>(
    _ text: Content, radix: UInt64 = 10, digitsMax: Int
  ) -> UInt64? where Content.Element == UInt8 {
    guard (1...digitsMax).contains(text.count) else { return nil }
    var number: UInt64 = 0
    for digit in text {
      guard let value = value(digit), value < radix, number < .max / radix else { return nil }
      number = number * radix + UInt64(value)
    }
    return number
  }
}
