/// HMAC (RFC 2104) and HKDF (RFC 5869) with SHA-256, for the guest, where plain Swift does.
public enum KeyDerivation {
  private static let blockBytes = 64

  /// The 32-byte HMAC of `message` under `key`.
  public static func hmac(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    var padded = key.count > blockBytes ? ManifestDigest.sha256(key) : key
    while padded.count < blockBytes { padded.append(0) }
    let inner = ManifestDigest.sha256(padded.map { $0 ^ 0x36 } + message)
    return ManifestDigest.sha256(padded.map { $0 ^ 0x5c } + inner)
  }

  /// The first `count` bytes, at most 32, of HKDF.
  public static func key(
    _ count: Int, from secret: [UInt8], salt: [UInt8], purpose: String
  ) -> [UInt8] {
    let extracted = hmac(secret, key: salt)
    return Array(hmac(Array(purpose.utf8) + [1], key: extracted).prefix(count))
  }
}
