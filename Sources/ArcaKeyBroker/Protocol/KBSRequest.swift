import Crypto
import Foundation

/// The first message of the key broker protocol (CoCo KBS, `POST /kbs/v0/auth`).
public struct KBSRequest: Sendable {
  /// The one protocol version that is spoken.
  public static let version = "0.4.0"

  /// The kind of TEE that the attester says it is.
  public let tee: AttesterKind

  /// Reads the message.
  public init(_ bytes: [UInt8]) throws(KeyBrokerError) {
    let json = try StrictJSON(parsing: bytes)
    guard let version = json["version"]?.text, let tee = json["tee"]?.text,
      json["extra-params"] != nil
    else {
      throw KeyBrokerError(.malformed, "auth: version, tee and extra-params must be there")
    }
    guard version == Self.version else {
      throw KeyBrokerError(
        .unsupportedVersion, "auth: version \(version.prefix(20)), expected \(Self.version)")
    }
    guard let kind = AttesterKind(rawValue: tee), !kind.isMeasuredAtLaunch else {
      throw KeyBrokerError(.unsupportedTEE, "auth: tee \(tee.prefix(40)) is not verified here")
    }
    self.tee = kind
  }
}

/// What an attester calls itself in the protocol.
public enum AttesterKind: String, Sendable, CaseIterable {
  /// AMD SEV-SNP.
  case snp
  /// Intel TDX.
  case tdx
  /// Intel SGX.
  case sgx
  /// AMD SEV-ES, whose host asks at the launch; no attester of the protocol's.
  case sevES = "sev-es"
  /// AMD SEV, likewise.
  case sev
  /// CoCo's sample attester, which proves nothing at all.
  case sample

  /// Whether secrets go into the guest at its launch, since there is nobody inside to ask for them.
  public var isMeasuredAtLaunch: Bool { self == .sevES || self == .sev }
}

/// The second message (`POST /kbs/v0/attest`).
public struct KBSAttestation: Sendable {
  /// The nonce as the attester echoes it.
  public let nonce: String
  /// The key that secrets are to be encrypted to.
  public let key: TEEPublicKey
  /// The initialization data that the attester was launched with, verbatim.
  public let initData: String?
  /// The evidence, in the form of its kind.
  public let primaryEvidence: StrictJSON

  /// Reads the message.
  public init(_ bytes: [UInt8]) throws(KeyBrokerError) {
    let json = try StrictJSON(parsing: bytes)
    guard let runtime = json["runtime-data"], let nonce = runtime["nonce"]?.text,
      let jwk = runtime["tee-pubkey"], let evidence = json["tee-evidence"],
      let primary = evidence["primary_evidence"],
      let additional = evidence["additional_evidence"]?.text
    else {
      throw KeyBrokerError(
        .malformed,
        "attest: runtime-data (nonce, tee-pubkey) and tee-evidence "
          + "(primary_evidence, additional_evidence) must be there")
    }
    guard additional.isEmpty else {
      throw KeyBrokerError(
        .unsupportedTEE, "attest: evidence of additional devices is not verified here")
    }
    self.nonce = nonce
    key = try TEEPublicKey(jwk)
    primaryEvidence = primary
    switch json["init-data"] {
    case nil, .some(.null): initData = nil
    case .some(let data):
      guard data["format"]?.text == "toml", let body = data["body"]?.text else {
        throw KeyBrokerError(.malformed, "attest: init-data must have format toml and a body")
      }
      initData = body
    }
  }

  /// What the TEE must have bound: SHA-384 of the canonical runtime data, 48 bytes.
  public var reportData: [UInt8] { Self.reportData(nonce: nonce, key: key) }

  /// What a TEE binds for `nonce` and `key`: SHA-384 of the canonical runtime data, 48 bytes.
  public static func reportData(nonce: String, key: TEEPublicKey) -> [UInt8] {
    let data = StrictJSON.members(
      ("additional-evidence", .string("")), ("nonce", .string(nonce)), ("tee-pubkey", key.jwk))
    return Array(SHA384.hash(data: Data(data.canonical.utf8)))
  }

  /// The digest of the initialization data by the algorithm that it names, or nil where there is
  /// none.
  public func initDataDigest() throws(KeyBrokerError) -> [UInt8]? {
    guard let initData else { return nil }
    let body = Data(initData.utf8)
    let algorithm = initData.split(whereSeparator: \.isNewline).lazy
      .prefix { !$0.hasPrefix("[") }
      .compactMap { $0.wholeMatch(of: /\s*algorithm\s*=\s*"(sha(?:256|384|512))"\s*/)?.1 }.first
    switch algorithm {
    case "sha256": return Array(SHA256.hash(data: body))
    case "sha384": return Array(SHA384.hash(data: body))
    case "sha512": return Array(SHA512.hash(data: body))
    default:
      throw KeyBrokerError(
        .malformed, "attest: init-data names no algorithm of sha256, sha384, sha512")
    }
  }
}
