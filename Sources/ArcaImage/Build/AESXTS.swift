import Crypto
import CryptoExtras

/// AES-256 in XTS mode (IEEE 1619-2018) over data units of a whole number of blocks.
///
/// The block cipher is swift-crypto's; the mode is what the kernel calls `aes-xts-plain64`: the
/// tweak of a data unit is its number, little-endian.
package struct AESXTS {
  /// Bytes of a key: that of the data, then that of the tweak.
  package static let keyBytes = 64
  private static let blockBytes = 16

  private let dataKey: SymmetricKey
  private let tweakKey: SymmetricKey

  /// Takes a key of 64 bytes whose halves differ; nil for any other.
  package init?(key: [UInt8]) {
    guard key.count == Self.keyBytes, key[..<32] != key[32...] else { return nil }
    dataKey = SymmetricKey(data: key[..<32])
    tweakKey = SymmetricKey(data: key[32...])
  }

  /// Encrypts `unit`, the data unit `number`, whose size is a multiple of 16 bytes.
  package func encrypt(_ unit: inout ArraySlice<UInt8>, number: UInt64) throws(ImageError) {
    do {
      var tweak = [UInt8](repeating: 0, count: Self.blockBytes)
      for index in 0..<8 { tweak[index] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(index))) }
      try AES.permute(&tweak, key: tweakKey)
      var block = [UInt8](repeating: 0, count: Self.blockBytes)
      var start = unit.startIndex
      while start < unit.endIndex {
        for index in 0..<Self.blockBytes { block[index] = unit[start + index] ^ tweak[index] }
        try AES.permute(&block, key: dataKey)
        for index in 0..<Self.blockBytes { unit[start + index] = block[index] ^ tweak[index] }
        Self.double(&tweak)
        start += Self.blockBytes
      }
    } catch {
      throw ImageError(.system, "AES failed: \(error)")
    }
  }

  /// Multiplies by x in GF(2^128), modulo x^128 + x^7 + x^2 + x + 1.
  private static func double(_ tweak: inout [UInt8]) {
    var carry: UInt8 = 0
    for index in 0..<blockBytes {
      let next = tweak[index] >> 7
      tweak[index] = tweak[index] << 1 | carry
      carry = next
    }
    if carry == 1 { tweak[0] ^= 0x87 }
  }
}
