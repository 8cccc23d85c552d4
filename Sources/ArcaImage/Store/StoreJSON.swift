import Foundation

/// JSON as the store writes it: keys sorted, so that equal values are equal bytes.
enum StoreJSON {
  static func encode(_ value: some Encodable) throws(ImageError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(value))
    } catch {
      throw ImageError(.malformed, "cannot write JSON: \(error)")
    }
  }
}
