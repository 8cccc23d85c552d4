// What stands in for the guest's crypto library where there is none, in tests.

extension KeyDerivation {
  private static let blockBytes = 64

  /// The 32-byte HMAC of `message` under `key`.
  public static func hmac(_ message: [UInt8], _ key: [UInt8]) -> [UInt8] {
    var padded = key.count > blockBytes ? ManifestDigest.sha256(key) : key
    while padded.count < blockBytes { padded.append(0) }
    let inner = ManifestDigest.sha256(padded.map { $0 ^ 0x36 } + message)
    return ManifestDigest.sha256(padded.map { $0 ^ 0x5c } + inner)
  }
}
