import ArcaBytes

private let base64Digits = Array(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

/// The Base64 text (RFC 4648, section 4) of `bytes`; the launcher does without Foundation.
public func base64(_ bytes: [UInt8]) -> String {
  var text: [UInt8] = []
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    var word: UInt32 = 0
    for byte in group { word = word << 8 | UInt32(byte) }
    word <<= UInt32(8 * (3 - group.count))
    for index in 0..<4 {
      let digit = base64Digits[Int(word >> UInt32(18 - 6 * index) & 63)]
      text.append(index <= group.count ? digit : UInt8(ascii: "="))
    }
  }
  return String(decoding: text, as: UTF8.self)
}

/// What Base64 text with its padding spells, or nil where it is none.
public func decodedBase64(_ text: String) -> [UInt8]? {
  let digits = Array(text.utf8)
  guard digits.count % 4 == 0 else { return nil }
  var bytes: [UInt8] = []
  for start in stride(from: 0, to: digits.count, by: 4) {
    let isLast = start + 4 == digits.count
    let group = digits[start..<start + 4]
    let used = isLast ? group.prefix { $0 != UInt8(ascii: "=") } : group
    let padding = group.dropFirst(used.count)
    guard used.count >= 2, padding.allSatisfy({ $0 == UInt8(ascii: "=") }) else { return nil }
    var word: UInt32 = 0
    for digit in used {
      guard let value = base64Digits.firstIndex(of: digit) else { return nil }
      word = word << 6 | UInt32(value)
    }
    word <<= UInt32(6 * (4 - used.count))
    for index in 0..<used.count - 1 {
      bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(16 - 8 * index)))
    }
  }
  return bytes
}
