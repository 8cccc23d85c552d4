import Crypto
import CryptoExtras
import Foundation

/// The public key that a TEE made for this exchange, as a JWK (RFC 7517) of the kinds that the key
/// broker protocol knows: EC P-256 or P-521 with ECDH-ES+A256KW, RSA with RSA-OAEP-256.
public struct TEEPublicKey: Sendable, Equatable {
  /// Bounds of an RSA modulus, in bits.
  public static let modulusBits = 2048...4096

  /// What the key is for.
  enum Kind: Sendable, Equatable {
    case p256(x: [UInt8], y: [UInt8])
    case p521(x: [UInt8], y: [UInt8])
    case rsa(n: [UInt8], e: [UInt8])
  }

  let kind: Kind
  /// The JWK with exactly the members that are known, in canonical order.
  public let jwk: StrictJSON

  /// Reads a JWK; a member that the protocol does not define is refused, since a broker that drops
  /// it would hash another text than the TEE did.
  public init(_ jwk: StrictJSON) throws(KeyBrokerError) {
    guard let type = jwk["kty"]?.text, let algorithm = jwk["alg"]?.text else {
      throw KeyBrokerError(.invalidKey, "tee-pubkey: kty and alg must be there")
    }
    switch (type, algorithm) {
    case ("EC", JWEAlgorithm.ecdhES.rawValue):
      guard let curve = jwk["crv"]?.text, let width = ["P-256": 32, "P-521": 66][curve] else {
        throw KeyBrokerError(.invalidKey, "tee-pubkey.crv: expected P-256 or P-521")
      }
      try Self.expectMembers(["alg", "crv", "kty", "x", "y"], of: jwk)
      let x = try Self.octets("x", of: jwk, width...width)
      let y = try Self.octets("y", of: jwk, width...width)
      kind = width == 32 ? .p256(x: x, y: y) : .p521(x: x, y: y)
    case ("RSA", JWEAlgorithm.rsaOAEP256.rawValue):
      try Self.expectMembers(["alg", "e", "kty", "n"], of: jwk)
      let n = try Self.octets(
        "n", of: jwk, Self.modulusBits.lowerBound / 8...Self.modulusBits.upperBound / 8)
      guard n[0] >= 0x80 else {
        throw KeyBrokerError(.invalidKey, "tee-pubkey.n: leading zero bits")
      }
      kind = .rsa(n: n, e: try Self.octets("e", of: jwk, 1...4))
    default:
      throw KeyBrokerError(.invalidKey, "tee-pubkey: no use for kty \(type) with alg \(algorithm)")
    }
    self.jwk = jwk
    try checkPoint()
  }

  /// The thumbprint-like name of the key in logs: SHA-256 of the canonical JWK.
  public var digest: [UInt8] { Array(SHA256.hash(data: Data(jwk.canonical.utf8))) }

  private func checkPoint() throws(KeyBrokerError) {
    do {
      switch kind {
      case .p256(let x, let y): _ = try P256.KeyAgreement.PublicKey(x963Representation: [4] + x + y)
      case .p521(let x, let y): _ = try P521.KeyAgreement.PublicKey(x963Representation: [4] + x + y)
      case .rsa(let n, let e): _ = try _RSA.Encryption.PublicKey(n: n, e: e)
      }
    } catch {
      throw KeyBrokerError(.invalidKey, "tee-pubkey: not a public key of its kind")
    }
  }

  private static func expectMembers(
    _ names: Set<String>, of jwk: StrictJSON
  ) throws(KeyBrokerError) {
    guard case .object(let members) = jwk, Set(members.map(\.name)) == names else {
      throw KeyBrokerError(
        .invalidKey, "tee-pubkey: expected exactly \(names.sorted().joined(separator: ", "))")
    }
  }

  private static func octets(
    _ name: String, of jwk: StrictJSON, _ width: ClosedRange<Int>
  ) throws(KeyBrokerError) -> [UInt8] {
    guard let text = jwk[name]?.text, let bytes = Base64.decode(text, .url),
      width.contains(bytes.count)
    else {
      throw KeyBrokerError(
        .invalidKey, "tee-pubkey.\(name): expected \(width) bytes in base64url without padding")
    }
    return bytes
  }
}
