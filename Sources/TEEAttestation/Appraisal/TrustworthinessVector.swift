/// AR4SI trust tiers (draft-ietf-rats-ar4si, section 2.3).
public enum TrustTier: String, Sendable {
  /// Nothing is said.
  case none
  /// Trusted.
  case affirming
  /// Trusted with a reservation.
  case warning
  /// Not to be trusted.
  case contraindicated

  /// The tier that the trustworthiness claim `value` is in.
  init(value: Int64) {
    switch value {
    case 2...31: self = .affirming
    case 32...95: self = .warning
    case 96...127: self = .contraindicated
    default: self = .none
    }
  }

  var severity: Int {
    switch self {
    case .none: return 0
    case .affirming: return 1
    case .warning: return 2
    case .contraindicated: return 3
    }
  }
}

/// AR4SI trustworthiness claims (draft-ietf-rats-ar4si, section 2.3.4) that a verdict comes to.
///
/// A claim is 0 where the policy did not ask: what was not checked is not affirmed.
public struct TrustworthinessVector: Sendable, Equatable {
  /// The chip: 2 recognised, 97 not recognised, 99 the evidence's signature does not hold.
  public let instanceIdentity: Int64
  /// How the TEE is set up: 2 approved, 96 debug or a field that the policy refuses.
  public let configuration: Int64
  /// What runs: 2 platform and workload are as expected, 3 the platform is, 33 neither is known.
  public let executables: Int64
  /// The root file system, which the workload digest covers: 2 approved, 32 not recognised.
  public let fileSystem: Int64
  /// The hardware: 2 genuine, 32 genuine with known weaknesses or simulated, 96 revoked,
  /// 97 not recognised, 99 the chain does not hold.
  public let hardware: Int64
  /// Memory: 2 encrypted, 32 isolated only (simulated), 96 visible to a debugger.
  public let runtimeOpaque: Int64

  /// The claims that `verdict` comes to.
  public init(_ verdict: Verdict) {
    func state(_ names: String...) -> Bool? {
      let checks = verdict.checks.filter { names.contains($0.name) }
      return checks.isEmpty ? nil : checks.allSatisfy(\.passed)
    }
    let worst = verdict.reasons.map(\.failure)
    let forged = !Set(worst).isDisjoint(with: [.tampered, .malformed])
    switch verdict.kind {
    case .malformed, .tampered: hardware = 99
    case .untrustedRoot: hardware = 97
    case .revoked, .tcbUnsupported, .expired: hardware = 96
    case .outOfDate, .validWithAdvice: hardware = 32
    case .undecided, .chainValid: hardware = 0
    case .valid, .debug, .mismatch: hardware = verdict.simulated ? 32 : 2
    }
    let genuine = hardware == 2 || hardware == 32
    let chip = state("policy.chip_id").map { $0 ? Int64(2) : 97 } ?? 0
    instanceIdentity = forged ? 99 : (genuine ? chip : 0)
    let settings = state("policy.vmpl", "policy.migratable", "policy.signer")
    let debug = verdict.claims?.debug ?? false
    configuration = !genuine ? 0 : debug || settings == false ? 96 : settings == true ? 2 : 0
    let platform = state("policy.platform")
    let workload = state("policy.workload")
    executables =
      !genuine
      ? 0
      : platform == false || workload == false
        ? 33 : platform == true ? (workload == true ? 2 : 3) : 0
    fileSystem = !genuine ? 0 : workload.map { $0 ? 2 : 32 } ?? 0
    runtimeOpaque = !genuine ? 0 : debug ? 96 : verdict.simulated ? 32 : 2
  }

  /// The claims by the names that EAR gives them (draft-fv-rats-ear, section 3.2).
  public var claims: [(name: String, value: Int64)] {
    [
      ("instance-identity", instanceIdentity), ("configuration", configuration),
      ("executables", executables), ("file-system", fileSystem), ("hardware", hardware),
      ("runtime-opaque", runtimeOpaque),
    ]
  }

  /// The worst tier of any claim.
  public var tier: TrustTier {
    claims.map { TrustTier(value: $0.value) }.max { $0.severity < $1.severity } ?? .none
  }
}
