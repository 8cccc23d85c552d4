/// Textual encodings (RFC 7468): the strict form, which is what the vendors publish.
public enum PEM {
  /// One encapsulated object.
  public struct Block: Sendable, Equatable {
    /// What the boundary lines name, such as `CERTIFICATE` or `X509 CRL`.
    public let label: String
    /// The decoded content.
    public let der: [UInt8]
  }

  /// No vendor's chain or list is near this many blocks.
  public static let blocksMax = 16
  /// Upper bound of a text in bytes; the largest that a list of ``X509CRL/bytesMax`` takes.
  public static let bytesMax = X509CRL.bytesMax / 2 * 3

  /// Every block of `text`.
  ///
  /// White space between blocks and NUL bytes after the last are passed over, since quotes end
  /// their chains with one.
  public static func blocks(_ text: [UInt8]) throws(AttestationError) -> [Block] {
    guard text.count <= bytesMax else {
      throw AttestationError(.tooLarge, "PEM: more than \(bytesMax) bytes")
    }
    var blocks: [Block] = []
    var label: [UInt8]?
    var body: [UInt8] = []
    for line in text.split(whereSeparator: { $0 == 10 || $0 == 13 || $0 == 0 }) {
      if let open = label {
        if line.first != 45 {
          body.append(contentsOf: line)
          continue
        }
        guard Self.label(of: line, after: "-----END ") == open else {
          throw AttestationError(.malformed, "PEM: a BEGIN line without its END line")
        }
        blocks.append(
          Block(label: String(decoding: open, as: UTF8.self), der: try base64(body)))
        guard blocks.count <= blocksMax else {
          throw AttestationError(.tooLarge, "PEM: more than \(blocksMax) blocks")
        }
        label = nil
        body.removeAll(keepingCapacity: true)
      } else if let begun = Self.label(of: line, after: "-----BEGIN ") {
        label = begun
      } else if line.contains(where: { $0 != 32 && $0 != 9 }) {
        throw AttestationError(.malformed, "PEM: text outside of a block")
      }
    }
    guard label == nil else { throw AttestationError(.malformed, "PEM: the last block is cut") }
    return blocks
  }

  /// The PEM text of `der` under `label`, in lines of 64 characters.
  public static func encode(_ der: [UInt8], label: String) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var out = Array("-----BEGIN \(label)-----".utf8)
    for start in stride(from: 0, to: der.count, by: 3) {
      if start % 48 == 0 { out.append(10) }
      let count = min(3, der.count - start)
      let group = (0..<3).reduce(0) { $0 << 8 | ($1 < count ? Int(der[start + $1]) : 0) }
      for index in 0..<4 {
        out.append(index <= count ? alphabet[group >> (18 - 6 * index) & 63] : 61)
      }
    }
    return String(decoding: out, as: UTF8.self) + "\n-----END \(label)-----\n"
  }

  private static func label(of line: ArraySlice<UInt8>, after prefix: StaticString) -> [UInt8]? {
    let start = Array(prefix.description.utf8)
    guard line.starts(with: start), line.count > start.count + 5,
      line.suffix(5).allSatisfy({ $0 == 45 })
    else { return nil }
    return Array(line.dropFirst(start.count).dropLast(5))
  }

  private static let values: [UInt8] = (0..<256).map { (code: Int) -> UInt8 in
    switch code {
    case 65...90: return UInt8(code - 65)
    case 97...122: return UInt8(code - 71)
    case 48...57: return UInt8(code + 4)
    case 43: return 62
    case 47: return 63
    default: return 0xFF
    }
  }

  private static func base64(_ text: [UInt8]) throws(AttestationError) -> [UInt8] {
    let fault = AttestationError(.malformed, "PEM: not base64")
    let padding = text.suffix(2).count { $0 == 61 }
    guard text.count % 4 == 0, padding == 0 || text.last == 61 else { throw fault }
    let table = values
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var group: UInt32 = 0
    var count = 0
    for character in text.dropLast(padding) {
      let value = table[Int(character)]
      guard value != 0xFF else { throw fault }
      group = group << 6 | UInt32(value)
      count += 1
      if count == 4 {
        bytes.append(UInt8(truncatingIfNeeded: group >> 16))
        bytes.append(UInt8(truncatingIfNeeded: group >> 8))
        bytes.append(UInt8(truncatingIfNeeded: group))
        group = 0
        count = 0
      }
    }
    // The bits that padding cuts off must be zero, or one object would have several encodings.
    switch count {
    case 0: break
    case 2:
      guard group & 0xF == 0 else { throw fault }
      bytes.append(UInt8(truncatingIfNeeded: group >> 4))
    case 3:
      guard group & 3 == 0 else { throw fault }
      bytes.append(UInt8(truncatingIfNeeded: group >> 10))
      bytes.append(UInt8(truncatingIfNeeded: group >> 2))
    default: throw fault
    }
    return bytes
  }
}
