/// HKDF (RFC 5869) with SHA-256, over the HMAC (RFC 2104) of whoever calls.
public enum KeyDerivation {
  /// The 32-byte HMAC of `message` under `key`.
  public typealias HMAC = (_ message: [UInt8], _ key: [UInt8]) -> [UInt8]

  /// The first `count` bytes, at most 32, of HKDF.
  public static func key(
    _ count: Int, from secret: [UInt8], salt: [UInt8], purpose: StaticString, _ hmac: HMAC
  ) -> [UInt8] {
    Array(hmac([UInt8](ascii: purpose) + [1], hmac(secret, salt)).prefix(count))
  }
}
