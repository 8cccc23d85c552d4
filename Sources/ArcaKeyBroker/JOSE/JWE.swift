import Crypto
import CryptoExtras
import Foundation

/// Key management algorithms (RFC 7518, section 4.1).
public enum JWEAlgorithm: String, Sendable, CaseIterable {
  /// ECDH-ES with Concat KDF and AES-256 key wrap (section 4.6).
  case ecdhES = "ECDH-ES+A256KW"
  /// RSAES-OAEP with SHA-256 and MGF1 with SHA-256 (section 4.3).
  case rsaOAEP256 = "RSA-OAEP-256"
}

/// A JWE in the flattened JSON serialization (RFC 7516, section 7.2.2), content A256GCM.
public struct JWE: Sendable, Equatable {
  /// The protected header, base64url.
  public let protected: String
  /// The wrapped content key.
  public let encryptedKey: [UInt8]
  /// The initialization vector, 12 bytes.
  public let iv: [UInt8]
  /// The ciphertext, as long as the plaintext.
  public let ciphertext: [UInt8]
  /// The authentication tag, 16 bytes.
  public let tag: [UInt8]

  /// Encrypts `plaintext` to `key` with a content key and, for ECDH, an ephemeral key of its own.
  public static func encrypt(
    _ plaintext: Data, to key: TEEPublicKey
  ) throws(KeyBrokerError) -> JWE {
    let contentKey = SymmetricKey(size: .bits256)
    do {
      let (header, wrapped) = try Self.wrap(contentKey, to: key)
      let protected = Base64.encode(Array(header.compact.utf8), .url)
      let box = try AES.GCM.seal(plaintext, using: contentKey, authenticating: Data(protected.utf8))
      return JWE(
        protected: protected, encryptedKey: wrapped, iv: box.nonce.octets,
        ciphertext: Array(box.ciphertext), tag: Array(box.tag))
    } catch {
      throw KeyBrokerError(.invalidKey, "encrypting to the TEE's key: \(error)")
    }
  }

  /// The JSON text, members as the protocol lists them.
  public var json: String {
    StrictJSON.members(
      ("protected", .string(protected)),
      ("encrypted_key", .string(Base64.encode(encryptedKey, .url))),
      ("iv", .string(Base64.encode(iv, .url))),
      ("ciphertext", .string(Base64.encode(ciphertext, .url))),
      ("tag", .string(Base64.encode(tag, .url)))
    ).compact
  }

  // CoCo's client does not authenticate the header's text as it came: it parses it and writes it
  // anew as alg, enc, epk with epk as crv, kty, x, y. Any other order fails to decrypt there.
  private static func wrap(
    _ contentKey: SymmetricKey, to key: TEEPublicKey
  ) throws -> (StrictJSON, [UInt8]) {
    switch key.kind {
    case .p256(let x, let y):
      let ephemeral = P256.KeyAgreement.PrivateKey()
      let shared = try ephemeral.sharedSecretFromKeyAgreement(
        with: P256.KeyAgreement.PublicKey(x963Representation: [4] + x + y))
      return (
        header("P-256", Array(ephemeral.publicKey.rawRepresentation)),
        try wrap(contentKey, shared)
      )
    case .p521(let x, let y):
      let ephemeral = P521.KeyAgreement.PrivateKey()
      let shared = try ephemeral.sharedSecretFromKeyAgreement(
        with: P521.KeyAgreement.PublicKey(x963Representation: [4] + x + y))
      return (
        header("P-521", Array(ephemeral.publicKey.rawRepresentation)),
        try wrap(contentKey, shared)
      )
    case .rsa(let n, let e):
      let bytes = contentKey.octets
      let wrapped = try _RSA.Encryption.PublicKey(n: n, e: e)
        .encrypt(bytes, padding: .PKCS1_OAEP_SHA256)
      return (
        .members(("alg", .string(JWEAlgorithm.rsaOAEP256.rawValue)), ("enc", .string("A256GCM"))),
        Array(wrapped)
      )
    }
  }

  private static func header(_ curve: String, _ point: [UInt8]) -> StrictJSON {
    let half = point.count / 2
    return .members(
      ("alg", .string(JWEAlgorithm.ecdhES.rawValue)), ("enc", .string("A256GCM")),
      (
        "epk",
        .members(
          ("crv", .string(curve)), ("kty", .string("EC")),
          ("x", .string(Base64.encode(point[..<half], .url))),
          ("y", .string(Base64.encode(point[half...], .url))))
      ))
  }

  private static func wrap(_ contentKey: SymmetricKey, _ shared: SharedSecret) throws -> [UInt8] {
    Array(try AES.KeyWrap.wrap(contentKey, using: ConcatKDF.a256KW(shared)))
  }
}

extension JWE {
  /// Reads the flattened serialization.
  public init(_ json: StrictJSON) throws(KeyBrokerError) {
    func field(_ name: String) throws(KeyBrokerError) -> [UInt8] {
      guard let text = json[name]?.text, let bytes = Base64.decode(text, .url) else {
        throw KeyBrokerError(.malformed, "JWE: \(name) is not base64url")
      }
      return bytes
    }
    protected = json["protected"]?.text ?? ""
    encryptedKey = try field("encrypted_key")
    iv = try field("iv")
    ciphertext = try field("ciphertext")
    tag = try field("tag")
  }

  /// The plaintext, decrypted with the TEE's P-256 key: what a client of the protocol does.
  ///
  /// Authenticates the header's text as it came.
  public func decrypt(with key: P256.KeyAgreement.PrivateKey) throws(KeyBrokerError) -> Data {
    let fault = KeyBrokerError(.corrupted, "JWE: does not decrypt with this key")
    guard let headerBytes = Base64.decode(protected, .url) else { throw fault }
    let header = try StrictJSON(parsing: headerBytes)
    guard header["alg"]?.text == JWEAlgorithm.ecdhES.rawValue, header["enc"]?.text == "A256GCM",
      let epk = header["epk"], epk["crv"]?.text == "P-256",
      let x = epk["x"]?.text.flatMap({ Base64.decode($0, .url) }),
      let y = epk["y"]?.text.flatMap({ Base64.decode($0, .url) })
    else {
      throw KeyBrokerError(.malformed, "JWE: the header names no algorithm that is read here")
    }
    do {
      let shared = try key.sharedSecretFromKeyAgreement(
        with: P256.KeyAgreement.PublicKey(x963Representation: [4] + x + y))
      let contentKey = try AES.KeyWrap.unwrap(encryptedKey, using: ConcatKDF.a256KW(shared))
      let box = try AES.GCM.SealedBox(
        nonce: AES.GCM.Nonce(data: iv), ciphertext: ciphertext, tag: tag)
      return try AES.GCM.open(box, using: contentKey, authenticating: Data(protected.utf8))
    } catch {
      throw fault
    }
  }
}

/// The single-step key derivation of NIST SP 800-56A, section 5.8.1, as RFC 7518, section 4.6.2
/// uses it.
enum ConcatKDF {
  /// The key-encryption key for ECDH-ES+A256KW, with empty PartyUInfo and PartyVInfo.
  static func a256KW(_ shared: SharedSecret) -> SymmetricKey {
    let algorithm = Array(JWEAlgorithm.ecdhES.rawValue.utf8)
    var info: [UInt8] = [0, 0, 0, UInt8(algorithm.count)] + algorithm
    info += [0, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 1, 0]
    // One round gives 256 bits: SHA-256(counter ‖ Z ‖ OtherInfo), which is what X9.63 does too but
    // for the counter's place, so it is written out.
    var hash = SHA256()
    hash.update(data: [0, 0, 0, 1])
    hash.update(shared)
    hash.update(data: info)
    return SymmetricKey(data: hash.finalize())
  }
}
