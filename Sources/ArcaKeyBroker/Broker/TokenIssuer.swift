import Crypto
import Foundation
import TEEAttestation

/// Issues and checks the broker's tokens: JWTs with EAR claims (EAT Attestation Results), ES256.
public struct TokenIssuer: Sendable {
  /// The profile that relying parties of CoCo expect.
  public static let profile = "tag:github.com,2024:confidential-containers/Trustee"

  /// Name of the issuer, as tokens state it.
  public let issuer: String
  /// The public key as a JWK (RFC 7517).
  public let jwk: StrictJSON
  private let key: P256.Signing.PrivateKey
  private let publicKey: P256.Signing.PublicKey

  /// An issuer that signs with the P-256 key in `pem` (PKCS 8).
  public init(issuer: String, pem: String) throws(KeyBrokerError) {
    guard let key = try? P256.Signing.PrivateKey(pemRepresentation: pem) else {
      throw KeyBrokerError(.keyFile, "token key: expected PEM with a P-256 private key")
    }
    self.issuer = issuer
    self.key = key
    publicKey = key.publicKey
    let point = Array(publicKey.rawRepresentation)
    jwk = .members(
      ("alg", .string("ES256")), ("crv", .string("P-256")), ("kty", .string("EC")),
      ("x", .string(Base64.encode(point[..<32], .url))),
      ("y", .string(Base64.encode(point[32...], .url))))
  }

  /// The JWK set that relying parties fetch.
  public var keySet: StrictJSON { .members(("keys", .array([jwk]))) }

  /// The token for an attested session.
  public func token(
    for attested: Attested, session: SessionRecord, at time: Int64
  ) throws(KeyBrokerError) -> String {
    let evidence: StrictJSON = .object([
      .init(session.tee.rawValue, attested.claims),
      .init("report_data", .string(attested.reportDataText)),
      .init("simulated", .bool(attested.simulated)),
      .init(
        "runtime_data_claims",
        .members(("nonce", .string(session.nonce)), ("tee-pubkey", attested.key.jwk))),
    ])
    let claims: StrictJSON = .members(
      ("eat_profile", .string(Self.profile)), ("iss", .string(issuer)),
      ("iat", .number(UInt64(time))), ("nbf", .number(UInt64(time))),
      ("exp", .number(UInt64(session.expires))), ("jti", .string(session.id)),
      (
        "ear.verifier-id",
        .members(("build", .string("arca-kbs")), ("developer", .string("Arca")))
      ),
      (
        "submods",
        .members(
          (
            "cpu0",
            .members(
              ("ear.status", .string(attested.simulated ? "contraindicated" : "affirming")),
              ("ear.trustworthiness-vector", attested.trustworthiness),
              ("ear.appraisal-policy-id", .string("attestation")),
              ("ear.veraison.annotated-evidence", evidence))
          ))
      ))
    return try JWS.sign(claims, header: [.init("jwk", jwk)], with: .es256(key))
  }

  /// The session that a bearer token of this issuer's names; the caller looks the session up, so
  /// that a token is worth no more than its session.
  public func session(ofToken token: String, at time: Int64) throws(KeyBrokerError) -> String {
    guard let claims = JWS.verify(token, with: [.es256(publicKey)]),
      claims["iss"]?.text == issuer, let expires = claims["exp"]?.whole,
      let session = claims["jti"]?.text
    else { throw KeyBrokerError(.invalidToken, "bearer token: not one of this broker's") }
    guard time >= 0, UInt64(time) < expires else {
      throw KeyBrokerError(.invalidToken, "bearer token: expired")
    }
    return session
  }
}
