/// Base 64 (RFC 4648), strict: one text for each sequence of bytes and no other is read.
public enum Base64 {
  /// The alphabet and padding of sections 4 and 5.
  public enum Variant: Sendable {
    /// Section 4, with padding.
    case standard
    /// Section 5, without padding, as JOSE has it (RFC 7515, section 2).
    case url
  }

  /// The text of `bytes`.
  public static func encode<Content: Collection>(_ bytes: Content, _ variant: Variant) -> String
  where Content.Element == UInt8 {
    let alphabet = alphabet(variant)
    var out: [UInt8] = []
    out.reserveCapacity((bytes.count + 2) / 3 * 4)
    var group: UInt32 = 0
    var count = 0
    for byte in bytes {
      group = group << 8 | UInt32(byte)
      count += 1
      if count == 3 {
        out.append(alphabet[Int(group >> 18) & 63])
        out.append(alphabet[Int(group >> 12) & 63])
        out.append(alphabet[Int(group >> 6) & 63])
        out.append(alphabet[Int(group) & 63])
        group = 0
        count = 0
      }
    }
    if count > 0 {
      group <<= UInt32(8 * (3 - count))
      for index in 0...count { out.append(alphabet[Int(group >> UInt32(18 - 6 * index)) & 63]) }
      if variant == .standard { for _ in count..<3 { out.append(61) } }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The bytes that `text` spells, or nil where it is not their one encoding.
  public static func decode(_ text: String, _ variant: Variant) -> [UInt8]? {
    var characters = Array(text.utf8)[...]
    if variant == .standard {
      guard characters.count % 4 == 0 else { return nil }
      let padding = characters.suffix(2).reversed().prefix { $0 == 61 }.count
      characters = characters.dropLast(padding)
    }
    guard characters.count % 4 != 1 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(characters.count * 3 / 4)
    var group: UInt32 = 0
    var bits = 0
    for character in characters {
      guard let value = value(of: character, variant) else { return nil }
      group = group << 6 | UInt32(value)
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
      }
    }
    // Bits that no byte takes must be zero, or one value would have several texts.
    guard group & (1 << UInt32(bits) - 1) == 0 else { return nil }
    return bytes
  }

  private static let standardAlphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let urlAlphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  private static func alphabet(_ variant: Variant) -> [UInt8] {
    variant == .standard ? standardAlphabet : urlAlphabet
  }

  private static func value(of character: UInt8, _ variant: Variant) -> UInt8? {
    switch character {
    case 65...90: return character - 65
    case 97...122: return character - 71
    case 48...57: return character + 4
    case variant == .standard ? 43 : 45: return 62
    case variant == .standard ? 47 : 95: return 63
    default: return nil
    }
  }
}
