import Crypto

extension SEVSession {
  /// The x coordinate that an agreement yields, big-endian.
  static func bytes(of secret: SharedSecret) -> [UInt8] {
    // SAFETY: the bytes are copied before the closure ends.
    unsafe secret.withUnsafeBytes { unsafe Array($0) }
  }
}
