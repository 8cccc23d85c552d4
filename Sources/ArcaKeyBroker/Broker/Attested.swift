import ArcaBytes
import TEEAttestation

/// What a session was attested with: all that a rule needs to judge the attester again for each
/// resource.
public struct Attested: Sendable {
  /// The evidence.
  public let received: ReceivedEvidence
  /// The key that secrets are encrypted to.
  public let key: TEEPublicKey
  /// What the evidence binds, 48 bytes.
  public let reportData: [UInt8]
  /// Whether no hardware stands behind the evidence.
  public let simulated: Bool
  /// The evidence's own statements, for the token.
  public let claims: StrictJSON
  /// The trustworthiness vector (AR4SI), for the token.
  public let trustworthiness: StrictJSON
  /// What the platform turned out to be: the verdict's kind.
  public let status: String

  /// The security version numbers, `name version` each, as the vendor orders them.
  var tcbText: String {
    guard case .object(let members) = claims else { return "" }
    return members.filter { $0.name.hasPrefix("tcb_") }.compactMap { member in
      member.value.whole.map { "\(member.name.dropFirst(4)) \($0)" }
    }.joined(separator: ", ")
  }

  var reportDataText: String { Hex.encode(reportData) }

  /// A TEE whose evidence was verified.
  init(
    _ received: ReceivedEvidence, _ attestation: KBSAttestation, claims: Claims?,
    status: VerdictKind, simulated: Bool
  ) {
    self.received = received
    self.status = status.rawValue
    key = attestation.key
    reportData = attestation.reportData
    self.simulated = simulated
    self.claims = .object(
      (claims?.fields ?? []).map { .init($0.name, StrictJSON($0.value)) }
        + (claims?.tcb.components ?? []).map {
          .init("tcb_\($0.name)", .number(UInt64($0.version)))
        })
    // AR4SI: 2 is genuine and approved, 32 has known weaknesses, 97 is not recognised.
    let hardware: UInt64 = simulated ? 97 : status == .outOfDate ? 32 : 2
    trustworthiness = .members(
      ("configuration", .number(2)), ("hardware", .number(hardware)),
      ("instance-identity", .number(simulated ? 97 : 2)))
  }

  /// The record as it is stored: CBOR, in which the evidence and what it binds are bytes, and the
  /// rest is JSON.
  func encoded() -> [UInt8] {
    let (kind, document, table): (String, [UInt8], [UInt8]) =
      switch received {
      case .sample(let data): (Self.sample, data, [])
      case .tee(let evidence):
        (evidence.kind.rawValue, evidence.document, evidence.certificateTable)
      }
    let rest = StrictJSON.members(
      ("kind", .string(kind)), ("key", key.jwk), ("simulated", .bool(simulated)),
      ("claims", claims), ("trust", trustworthiness), ("status", .string(status)))
    return CBOR.array([
      .text(Array(rest.compact.utf8)), .bytes(document), .bytes(table), .bytes(reportData),
    ]).encoded()
  }

  /// Reads a stored record.
  init(stored bytes: [UInt8]) throws(KeyBrokerError) {
    let fault = KeyBrokerError(.corrupted, "stored attestation: not in its form")
    guard case .array(let parts) = try? CBOR.decode(bytes), parts.count == 4,
      case .text(let rest) = parts[0], case .bytes(let document) = parts[1],
      case .bytes(let table) = parts[2], case .bytes(let reportData) = parts[3]
    else { throw fault }
    let json = try StrictJSON(parsing: rest)
    guard let kind = json["kind"]?.text, let key = json["key"], let claims = json["claims"],
      let trust = json["trust"], let status = json["status"]?.text,
      case .bool(let simulated) = json["simulated"]
    else { throw fault }
    if kind == Self.sample {
      received = .sample(reportData: document)
    } else {
      guard let tee = TEEKind(rawValue: kind) else { throw fault }
      received = .tee(Evidence(kind: tee, document: document, certificateTable: table))
    }
    self.key = try TEEPublicKey(key)
    self.status = status
    self.reportData = reportData
    self.simulated = simulated
    self.claims = claims
    trustworthiness = trust
  }

  private static let sample = AttesterKind.sample.rawValue
}

extension StrictJSON {
  /// A claim's value: bytes in hexadecimal, times as text.
  init(_ value: ClaimValue) {
    switch value {
    case .number(let number): self = .number(number)
    case .flag(let flag): self = .bool(flag)
    case .list(let words): self = .array(words.map { .string($0) })
    default: self = .string(value.text)
    }
  }
}
