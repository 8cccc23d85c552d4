/// Lowercase hexadecimal text.
public enum Hex {
  /// The hexadecimal text of `bytes`, two digits a byte.
  public static func encode<Content: Collection>(_ bytes: Content) -> String
  where Content.Element == UInt8 {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      text.append(digit(byte >> 4))
      text.append(digit(byte & 15))
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes that `text` spells, or nil where it holds anything but pairs of digits.
  public static func decode(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var high: UInt8?
    for character in text.utf8 {
      guard let value = value(of: character) else { return nil }
      if let first = high {
        bytes.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    return high == nil ? bytes : nil
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? 48 + value : 87 + value
  }

  private static func value(of character: UInt8) -> UInt8? {
    switch character {
    case 48...57: return character - 48
    case 65...70: return character - 55
    case 97...102: return character - 87
    default: return nil
    }
  }
}
