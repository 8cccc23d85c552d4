import Crypto
import CryptoExtras

/// Object identifiers as the content octets of their DER encoding.
enum OID {
  static let rsaEncryption: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]
  static let ecPublicKey: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]
  static let p256: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]
  static let p384: [UInt8] = [0x2B, 0x81, 0x04, 0x00, 0x22]
  static let commonName: [UInt8] = [0x55, 0x04, 0x03]
  static let subjectKeyIdentifier: [UInt8] = [0x55, 0x1D, 0x0E]
  static let keyUsage: [UInt8] = [0x55, 0x1D, 0x0F]
  static let basicConstraints: [UInt8] = [0x55, 0x1D, 0x13]
  static let crlNumber: [UInt8] = [0x55, 0x1D, 0x14]
  static let reasonCode: [UInt8] = [0x55, 0x1D, 0x15]
  static let invalidityDate: [UInt8] = [0x55, 0x1D, 0x18]
  static let crlDistributionPoints: [UInt8] = [0x55, 0x1D, 0x1F]
  static let authorityKeyIdentifier: [UInt8] = [0x55, 0x1D, 0x23]
}

/// The signature algorithms of the vendors' chains.
public enum SignatureAlgorithm: String, Sendable {
  /// ECDSA with SHA-256 (Intel), RFC 5758 section 3.2.
  case ecdsaSHA256 = "ecdsa-with-SHA256"
  /// ECDSA with SHA-384, RFC 5758 section 3.2.
  case ecdsaSHA384 = "ecdsa-with-SHA384"
  /// RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 bytes (AMD 57230), RFC 4055.
  case rsaPSSSHA384 = "rsassaPss SHA-384"
  /// Anything else; no signature made with it is accepted.
  case other

  /// The algorithm whose AlgorithmIdentifier has exactly the content `encoded`.
  ///
  /// Comparing the whole identifier leaves no parameter unread. RSASSA-PSS has two spellings, since
  /// AMD's own roots state the default trailer field, which DER would leave out.
  init(encoded: ArraySlice<UInt8>) {
    if encoded.elementsEqual(Self.pss) || encoded.elementsEqual(Self.pssWithTrailer) {
      self = .rsaPSSSHA384
    } else if encoded.elementsEqual(Self.ecdsa(2)) {
      self = .ecdsaSHA256
    } else if encoded.elementsEqual(Self.ecdsa(3)) {
      self = .ecdsaSHA384
    } else {
      self = .other
    }
  }

  private static func ecdsa(_ last: UInt8) -> [UInt8] {
    [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, last]
  }

  private static let sha384: [UInt8] = [
    0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
  ]
  private static let pssOID: [UInt8] = [
    0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A,
  ]
  private static let pssParameters: [UInt8] =
    [0xA0, 0x0F] + sha384 + [0xA1, 0x1C, 0x30, 0x1A]
    + [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08] + sha384
    + [0xA2, 0x03, 0x02, 0x01, 0x30]

  /// Content octets of the AlgorithmIdentifier in DER.
  static let pss: [UInt8] = pssOID + [0x30, 0x34] + pssParameters
  private static let pssWithTrailer: [UInt8] =
    pssOID + [0x30, 0x39] + pssParameters + [0xA3, 0x03, 0x02, 0x01, 0x01]
}

/// A public key of one of the kinds that the vendors use.
public enum X509PublicKey: Sendable {
  /// ECDSA over P-256 (Intel).
  case p256(P256.Signing.PublicKey)
  /// ECDSA over P-384 (AMD's VCEK and VLEK).
  case p384(P384.Signing.PublicKey)
  /// RSA of 2048 to 4096 bits (AMD's ARK, ASK and ASVK).
  case rsa(_RSA.Signing.PublicKey)

  /// Reads a SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7) at `range` of `bytes`.
  init(_ bytes: [UInt8], _ range: Range<Int>) throws(AttestationError) {
    var outer = DERReader(bytes, range)
    var info = try outer.nested()
    var algorithm = try info.nested()
    let oid = bytes[try algorithm.element(DERReader.Tag.oid).content]
    let key = try info.wholeBitString()
    try info.expectEnd()
    if oid.elementsEqual(OID.rsaEncryption) {
      guard try algorithm.element(DERReader.Tag.null).content.isEmpty else {
        throw AttestationError(.invalidKey, "RSA key with parameters")
      }
      try algorithm.expectEnd()
      self = .rsa(try Self.rsaKey(bytes, key))
    } else if oid.elementsEqual(OID.ecPublicKey) {
      let curve = bytes[try algorithm.element(DERReader.Tag.oid).content]
      try algorithm.expectEnd()
      self = try Self.ecKey(bytes[key], curve: curve)
    } else {
      throw AttestationError(.unsupportedAlgorithm, "public key algorithm \(Array(oid))")
    }
  }

  private static func ecKey(
    _ point: ArraySlice<UInt8>, curve: ArraySlice<UInt8>
  ) throws(AttestationError) -> Self {
    do {
      if curve.elementsEqual(OID.p256), point.count == 65 {
        return .p256(try P256.Signing.PublicKey(x963Representation: Array(point)))
      }
      if curve.elementsEqual(OID.p384), point.count == 97 {
        return .p384(try P384.Signing.PublicKey(x963Representation: Array(point)))
      }
    } catch {
      throw AttestationError(.invalidKey, "the point is not on its curve")
    }
    throw AttestationError(.unsupportedAlgorithm, "curve or point format of the public key")
  }

  private static func rsaKey(
    _ bytes: [UInt8], _ range: Range<Int>
  ) throws(AttestationError) -> _RSA.Signing.PublicKey {
    var outer = DERReader(bytes, range)
    var key = try outer.nested()
    try outer.expectEnd()
    let modulus = bytes[try key.integer()].drop { $0 == 0 }
    let exponent = bytes[try key.integer()]
    try key.expectEnd()
    guard (256...512).contains(modulus.count), exponent.count <= 5 else {
      throw AttestationError(
        .invalidKey, "RSA modulus of \(modulus.count) bytes, expected 256...512")
    }
    do {
      return try _RSA.Signing.PublicKey(n: Array(modulus), e: Array(exponent))
    } catch {
      throw AttestationError(.invalidKey, "RSA modulus or exponent")
    }
  }

  /// Whether `signature` is this key's signature over `message` under `algorithm`; false also
  /// where the key is not of the kind that the algorithm needs.
  func verifies(
    _ signature: ArraySlice<UInt8>, over message: ArraySlice<UInt8>, _ algorithm: SignatureAlgorithm
  ) -> Bool {
    switch (self, algorithm) {
    case (.rsa(let key), .rsaPSSSHA384):
      return key.isValidSignature(
        _RSA.Signing.RSASignature(rawRepresentation: signature),
        for: SHA384.hash(data: message), padding: .PSS)
    case (.p256(let key), .ecdsaSHA256):
      guard let parsed = try? P256.Signing.ECDSASignature(derRepresentation: signature) else {
        return false
      }
      return key.isValidSignature(parsed, for: SHA256.hash(data: message))
    case (.p384(let key), .ecdsaSHA384):
      guard let parsed = try? P384.Signing.ECDSASignature(derRepresentation: signature) else {
        return false
      }
      return key.isValidSignature(parsed, for: SHA384.hash(data: message))
    default:
      return false
    }
  }
}
