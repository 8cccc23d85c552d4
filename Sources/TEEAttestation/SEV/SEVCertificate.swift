import ArcaBytes
import Crypto

/// A P-384 key as AMD's security processor writes it: curve 2, then x and y, little-endian in 72
/// bytes each, filled up to 1,028 bytes (AMD 55766, appendix C; AMD 56860, table 79).
package enum SecureProcessorKey {
  package static let byteCount = 1028
  private static let fieldBytes = 72

  package static func encode(_ key: P384.Signing.PublicKey) -> [UInt8] {
    encode(raw: Array(key.rawRepresentation))
  }

  package static func encode(_ key: P384.KeyAgreement.PublicKey) -> [UInt8] {
    encode(raw: Array(key.rawRepresentation))
  }

  private static func encode(raw: [UInt8]) -> [UInt8] {
    let upper = [UInt8](repeating: 0, count: fieldBytes - 48)
    let key = [2, 0, 0, 0] + raw[..<48].reversed() + upper + raw[48...].reversed() + upper
    return key + [UInt8](repeating: 0, count: byteCount - key.count)
  }

  /// x ‖ y, big-endian, 96 bytes.
  package static func raw(_ encoded: ArraySlice<UInt8>) throws(AttestationError) -> [UInt8] {
    let key = Array(encoded)
    guard key.count == byteCount, key.starts(with: [2, 0, 0, 0]),
      key[52..<76].allSatisfy({ $0 == 0 }), key[124...].allSatisfy({ $0 == 0 })
    else { throw AttestationError(.invalidKey, "security processor's key: expected one on P-384") }
    return Array(key[4..<52].reversed() + key[76..<124].reversed())
  }

  /// A signature as the processor writes it: r and s, little-endian in 72 bytes each, in 512.
  package static func signature(_ signature: P384.Signing.ECDSASignature) -> [UInt8] {
    let raw = Array(signature.rawRepresentation)
    let upper = [UInt8](repeating: 0, count: fieldBytes - 48)
    let bytes = raw[..<48].reversed() + upper + raw[48...].reversed() + upper
    return bytes + [UInt8](repeating: 0, count: 512 - bytes.count)
  }
}

/// A certificate of a SEV platform, 2,084 bytes (AMD 55766, appendix C.1).
public struct SEVCertificate: Sendable, Equatable {
  /// Size of a certificate in bytes.
  public static let byteCount = 2084
  static let bodyBytes = 0x414

  /// What the key is for.
  public enum Usage: UInt32, Sendable {
    /// The platform owner's authority.
    case oca = 0x1001
    /// The platform's endorsement key.
    case pek = 0x1002
    /// The platform's key for agreeing on keys with a guest's owner.
    case pdh = 0x1003
    /// The chip's endorsement key.
    case cek = 0x1004
  }

  /// The algorithms that the numbers in certificates stand for.
  enum Algorithm {
    static let rsaSHA256: UInt32 = 0x001
    static let ecdsaSHA256: UInt32 = 0x002
    static let ecdhSHA256: UInt32 = 0x003
    static let rsaSHA384: UInt32 = 0x101
    static let ecdsaSHA384: UInt32 = 0x102
    static let ecdhSHA384: UInt32 = 0x103
  }

  struct Signature: Sendable, Equatable {
    let usage: UInt32
    let algorithm: UInt32
    /// 512 bytes.
    let bytes: [UInt8]
  }

  /// All of its bytes.
  public let bytes: [UInt8]
  /// What the key is for.
  public let usage: Usage
  /// What the key computes: its ECDSA or ECDH algorithm.
  let algorithm: UInt32
  /// The public key, x ‖ y, big-endian, 96 bytes.
  let key: [UInt8]
  let signatures: [Signature]

  /// The bytes that its signatures cover.
  var body: ArraySlice<UInt8> { bytes[..<Self.bodyBytes] }

  /// Reads a certificate; its signatures are ``SEVChain``'s matter.
  public init(_ bytes: [UInt8]) throws(AttestationError) {
    guard bytes.count == Self.byteCount else {
      throw AttestationError(
        .malformed, "SEV certificate: \(bytes.count) bytes, expected \(Self.byteCount)")
    }
    func u32(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * $1) } }
    guard u32(0) == 1 else {
      throw AttestationError(.malformed, "SEV certificate: version \(u32(0)), expected 1")
    }
    guard let usage = Usage(rawValue: u32(8)) else {
      throw AttestationError(.malformed, "SEV certificate: unknown key usage \(u32(8))")
    }
    let isAgreement = usage == .pdh
    let allowed =
      isAgreement
      ? [Algorithm.ecdhSHA256, Algorithm.ecdhSHA384]
      : [Algorithm.ecdsaSHA256, Algorithm.ecdsaSHA384]
    guard allowed.contains(u32(12)) else {
      throw AttestationError(
        .unsupportedAlgorithm, "SEV certificate (\(usage)): key algorithm \(u32(12))")
    }
    self.bytes = bytes
    self.usage = usage
    algorithm = u32(12)
    key = try SecureProcessorKey.raw(bytes[16..<16 + SecureProcessorKey.byteCount])
    signatures = [Self.bodyBytes, Self.bodyBytes + 520].map { at in
      Signature(usage: u32(at), algorithm: u32(at + 4), bytes: Array(bytes[at + 8..<at + 520]))
    }
  }

  /// A certificate without signatures over an owner's Diffie-Hellman key, as LAUNCH_START takes it.
  init(agreement key: P384.KeyAgreement.PublicKey) throws(AttestationError) {
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.u32(1)
    writer.u32(0)
    writer.u32(Usage.pdh.rawValue)
    writer.u32(Algorithm.ecdhSHA256)
    writer.append(SecureProcessorKey.encode(key))
    for _ in 0..<2 {
      // Usage 0x1000 says that there is no signature.
      writer.u32(0x1000)
      writer.zeros(516)
    }
    self = try SEVCertificate(writer.bytes)
  }

  /// The key for agreements.
  func agreementKey() throws(AttestationError) -> P384.KeyAgreement.PublicKey {
    do {
      return try P384.KeyAgreement.PublicKey(rawRepresentation: key)
    } catch {
      throw AttestationError(.invalidKey, "SEV certificate (\(usage)): not a point of P-384")
    }
  }

  /// Whether one of this certificate's signatures is by `issuer`.
  func isSigned(by issuer: SEVCertificate) -> Bool {
    guard let key = try? P384.Signing.PublicKey(rawRepresentation: issuer.key) else {
      return false
    }
    for item in signatures
    where item.usage == issuer.usage.rawValue && item.algorithm == issuer.algorithm {
      let raw = item.bytes[..<48].reversed() + item.bytes[72..<120].reversed()
      let rest = item.bytes[48..<72] + item.bytes[120...]
      guard rest.allSatisfy({ $0 == 0 }),
        let signature = try? P384.Signing.ECDSASignature(rawRepresentation: Array(raw))
      else { continue }
      let isValid =
        item.algorithm == Algorithm.ecdsaSHA256
        ? key.isValidSignature(signature, for: SHA256.hash(data: body))
        : key.isValidSignature(signature, for: SHA384.hash(data: body))
      if isValid { return true }
    }
    return false
  }
}
