import Crypto
import CryptoExtras
import Foundation

/// A key that verifies compact JWS: ES256 (RFC 7518, section 3.4) or EdDSA (RFC 8037).
public enum JWSPublicKey: Sendable {
  /// ECDSA on P-256 with SHA-256.
  case es256(P256.Signing.PublicKey)
  /// Ed25519.
  case edDSA(Curve25519.Signing.PublicKey)

  /// Reads a PEM public key (SubjectPublicKeyInfo) of either kind.
  public init(pem: String) throws(KeyBrokerError) {
    if let key = try? P256.Signing.PublicKey(pemRepresentation: pem) {
      self = .es256(key)
    } else if let key = try? Curve25519.Signing.PublicKey(pemRepresentation: pem) {
      self = .edDSA(key)
    } else {
      throw KeyBrokerError(.keyFile, "public key: expected PEM with a P-256 or Ed25519 key")
    }
  }

  var algorithm: String {
    switch self {
    case .es256: "ES256"
    case .edDSA: "EdDSA"
    }
  }

  func verifies(_ signature: [UInt8], of input: Data) -> Bool {
    switch self {
    case .es256(let key):
      guard let parsed = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else {
        return false
      }
      return key.isValidSignature(parsed, for: input)
    case .edDSA(let key): return key.isValidSignature(signature, for: input)
    }
  }
}

/// A key that signs compact JWS.
public enum JWSPrivateKey: Sendable {
  /// ECDSA on P-256 with SHA-256.
  case es256(P256.Signing.PrivateKey)
  /// Ed25519.
  case edDSA(Curve25519.Signing.PrivateKey)

  /// Reads a PEM private key (PKCS 8) of either kind.
  public init(pem: String) throws(KeyBrokerError) {
    if let key = try? P256.Signing.PrivateKey(pemRepresentation: pem) {
      self = .es256(key)
    } else if let key = try? Curve25519.Signing.PrivateKey(pemRepresentation: pem) {
      self = .edDSA(key)
    } else {
      throw KeyBrokerError(.keyFile, "private key: expected PEM with a P-256 or Ed25519 key")
    }
  }

  var algorithm: String {
    switch self {
    case .es256: "ES256"
    case .edDSA: "EdDSA"
    }
  }

  /// The key that verifies what this one signs.
  public var publicKey: JWSPublicKey {
    switch self {
    case .es256(let key): .es256(key.publicKey)
    case .edDSA(let key): .edDSA(key.publicKey)
    }
  }
}

/// Compact JWS (RFC 7515, section 7.1) with JSON claims, which is a JWT (RFC 7519).
public enum JWS {
  /// No token is longer, in bytes.
  public static let bytesMax = 64 << 10

  /// The token over `claims`; `header` members follow `alg` and `typ`.
  public static func sign(
    _ claims: StrictJSON, header: [StrictJSON.Member] = [], with key: JWSPrivateKey
  ) throws(KeyBrokerError) -> String {
    let head = StrictJSON.object(
      [.init("alg", .string(key.algorithm)), .init("typ", .string("JWT"))] + header)
    let input =
      Base64.encode(Array(head.compact.utf8), .url) + "."
      + Base64.encode(Array(claims.compact.utf8), .url)
    do {
      let signature: [UInt8]
      switch key {
      case .es256(let key):
        signature = Array(try key.signature(for: Data(input.utf8)).rawRepresentation)
      case .edDSA(let key): signature = Array(try key.signature(for: Data(input.utf8)))
      }
      return input + "." + Base64.encode(signature, .url)
    } catch {
      throw KeyBrokerError(.keyFile, "signing a token: \(error)")
    }
  }

  /// The claims of `token` where one of `keys` signed it, else nil.
  ///
  /// The algorithm is the key's; a token that names another is refused, `none` included, and so is
  /// one with critical header members (RFC 7515, section 4.1.11).
  public static func verify(_ token: String, with keys: [JWSPublicKey]) -> StrictJSON? {
    guard token.utf8.count <= bytesMax else { return nil }
    let parts = token.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3, let head = Base64.decode(parts[0], .url),
      let body = Base64.decode(parts[1], .url), let signature = Base64.decode(parts[2], .url),
      let header = try? StrictJSON(parsing: head), header["crit"] == nil
    else { return nil }
    let input = Data((parts[0] + "." + parts[1]).utf8)
    let isSigned = keys.contains { key in
      header["alg"]?.text == key.algorithm && key.verifies(signature, of: input)
    }
    return isSigned ? try? StrictJSON(parsing: body) : nil
  }
}
