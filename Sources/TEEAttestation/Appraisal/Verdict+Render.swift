import ArcaBytes

extension ClaimValue {
  /// The value as one line of text: bytes in hexadecimal, lists separated by commas.
  public var text: String {
    switch self {
    case .bytes(let bytes): return Hex.encode(bytes)
    case .number(let number): return "\(number)"
    case .flag(let flag): return flag ? "yes" : "no"
    case .text(let text): return text
    case .list(let words): return words.joined(separator: ", ")
    case .time(let time): return time.text
    case .period(let from, let until): return "\(from.text) to \(until.text)"
    }
  }

  /// The value in JSON; numbers beyond 63 bits become text.
  var json: JSONValue {
    switch self {
    case .number(let number): return Int64(exactly: number).map { .number($0) } ?? .string(text)
    case .flag(let flag): return .bool(flag)
    case .list(let words): return .array(words.map { .string($0) })
    default: return .string(text)
    }
  }
}

/// What a verdict comes to for whoever asked: the exit status of `arca attest verify`.
public enum Decision: Int32, Sendable {
  /// The policy trusts the evidence.
  case trusted = 0
  /// It does not.
  case notTrusted = 1
  /// Something that the decision needs is missing.
  case undecided = 2
}

extension Verdict {
  /// What the verdict comes to.
  public var decision: Decision {
    if isTrusted { return .trusted }
    return kind == .undecided || kind == .chainValid ? .undecided : .notTrusted
  }

  /// The verdict in lines of text, the decision first, then each reason and each claim.
  public var text: String {
    let words = [
      Decision.trusted: "trusted", .notTrusted: "NOT TRUSTED", .undecided: "UNDECIDED",
    ]
    var lines = ["\(words[decision] ?? ""): \(kind.rawValue), at \(time.text)"]
    if simulated { lines.append("simulated: no hardware protects this TEE") }
    for reason in reasons {
      lines.append(
        "failed: \(reason.name): expected \(reason.expected.text), found \(reason.found.text)")
    }
    lines += missing.map { "missing: \($0)" }
    if let tcbStatus { lines.append("TCB status: \(tcbStatus.rawValue)") }
    if !advisories.isEmpty { lines.append("advisories: \(advisories.joined(separator: ", "))") }
    if let claims {
      lines.append("tee: \(claims.tee.rawValue)")
      lines += claims.fields.map { "  \($0.name): \($0.value.text)" }
    }
    lines.append("checks: \(checks.count { $0.passed }) of \(checks.count) passed")
    return lines.joined(separator: "\n")
  }

  /// The whole verdict in JSON: every claim and every check.
  public var json: JSONValue {
    var members: [String: JSONValue] = [
      "kind": .string(kind.rawValue), "trusted": .bool(isTrusted), "simulated": .bool(simulated),
      "time": .string(time.text), "missing": .array(missing.map { .string($0) }),
      "advisories": .array(advisories.map { .string($0) }),
      "checks": .array(checks.map(Self.json)), "trustworthiness_vector": vector,
    ]
    if let tcbStatus { members["tcb_status"] = .string(tcbStatus.rawValue) }
    if let claims { members["claims"] = Self.json(claims) }
    return .object(members)
  }

  /// The claims set of an EAT attestation result, EAR (draft-fv-rats-ear), for whoever signs it.
  ///
  /// `issuedAt` is the time of signing; `developer` and `build` identify the verifier.
  public func ear(
    issuedAt: VerificationTime, developer: String, build: String, policyID: String
  ) -> JSONValue {
    let vector = TrustworthinessVector(self)
    let tier: TrustTier =
      isTrusted ? vector.tier : decision == .undecided ? .none : .contraindicated
    var submodule: [String: JSONValue] = [
      "ear.status": .string(tier.rawValue), "ear.trustworthiness-vector": self.vector,
      "ear.appraisal-policy-id": .string(policyID), "arca.simulated": .bool(simulated),
      "arca.verdict": .string(kind.rawValue),
    ]
    if let claims { submodule["ear.veraison.annotated-evidence"] = Self.json(claims) }
    return .object([
      "eat_profile": .string("tag:github.com,2023:veraison/ear"),
      "iat": .number(issuedAt.unixSeconds),
      "ear.verifier-id": .object(["developer": .string(developer), "build": .string(build)]),
      "submods": .object([claims?.tee.rawValue ?? "evidence": .object(submodule)]),
    ])
  }

  private var vector: JSONValue {
    .object(
      Dictionary(
        uniqueKeysWithValues: TrustworthinessVector(self).claims.map {
          ($0.name, .number($0.value))
        }
      ))
  }

  private static func json(_ check: Check) -> JSONValue {
    .object([
      "name": .string(check.name), "expected": check.expected.json, "found": check.found.json,
      "passed": .bool(check.passed), "failure": .string(check.failure.rawValue),
    ])
  }

  private static func json(_ claims: Claims) -> JSONValue {
    var members = ["tee": JSONValue.string(claims.tee.rawValue)]
    for field in claims.fields { members[field.name] = field.value.json }
    members["tcb"] = .object(
      Dictionary(
        claims.tcb.components.map { ($0.name, .number(Int64($0.version))) },
        uniquingKeysWith: { first, _ in first }))
    return .object(members)
  }
}
