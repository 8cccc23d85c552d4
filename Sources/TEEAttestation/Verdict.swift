/// What evidence turned out to be; the most severe finding decides.
public enum VerdictKind: String, Sendable, CaseIterable {
  /// Signatures, chain and bindings hold and the platform is up to date.
  case valid
  /// Valid, and the vendor advises a mitigation or a configuration.
  case validWithAdvice = "valid-with-advice"
  /// Signatures and chain hold; there was nothing to judge more by.
  case chainValid = "chain-valid"
  /// Something that the decision needs is missing; the checks say what.
  case undecided
  /// The platform's TCB is out of date.
  case outOfDate = "out-of-date"
  /// No TCB level of the vendor's matches the platform.
  case tcbUnsupported = "tcb-unsupported"
  /// The TEE can be read by a debugger.
  case debug
  /// A field differs from what the endorsements or the policy demand.
  case mismatch
  /// An endorsement is outside of its validity at the verification time.
  case expired
  /// A certificate, or the TCB level itself, is revoked.
  case revoked
  /// A signature or a hash that binds two parts does not hold.
  case tampered
  /// The chain does not end in a root that the caller trusts.
  case untrustedRoot = "untrusted-root"
  /// The evidence or an endorsement could not be parsed.
  case malformed

  /// Position in the order above, in which a later kind hides an earlier one.
  var severity: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// The value of a claim, or a side of a check; turned into text only when someone reads it.
public enum ClaimValue: Sendable, Equatable {
  /// Octets, shown in hexadecimal.
  case bytes([UInt8])
  /// A count, version or bit field.
  case number(UInt64)
  /// A yes or no.
  case flag(Bool)
  /// A word of the vendor's.
  case text(String)
  /// Several words.
  case list([String])
  /// A moment.
  case time(VerificationTime)
  /// From one moment to another, both included.
  case period(VerificationTime, VerificationTime)
}

/// Something that the evidence states; worth as much as the verdict that it comes with.
public struct Claim: Sendable, Equatable {
  /// The field's name, as the vendor's specification spells it, in snake case.
  public let name: String
  /// What the evidence says.
  public let value: ClaimValue

  /// Creates a claim.
  public init(_ name: String, _ value: ClaimValue) {
    self.name = name
    self.value = value
  }
}

/// One comparison that was made, whether it passed or not.
public struct Check: Sendable, Equatable {
  /// What was checked, from general to particular: `vcek.hw_id`, `policy.measurement`.
  public let name: String
  /// What would pass.
  public let expected: ClaimValue
  /// What there was.
  public let found: ClaimValue
  /// Whether it passed.
  public let passed: Bool
  /// The kind of verdict that a failure of this check leads to.
  public let failure: VerdictKind
}

/// The TCB status words of Intel's TCB info and of its appraisal (QVL); AMD has no such words.
public enum TCBStatus: String, Sendable, CaseIterable {
  /// Nothing to do.
  case upToDate = "UpToDate"
  /// Software in the TEE must mitigate.
  case swHardeningNeeded = "SWHardeningNeeded"
  /// The platform must be configured otherwise.
  case configurationNeeded = "ConfigurationNeeded"
  /// Both of the above.
  case configurationAndSWHardeningNeeded = "ConfigurationAndSWHardeningNeeded"
  /// Firmware or microcode must be updated.
  case outOfDate = "OutOfDate"
  /// Firmware or microcode must be updated, and the platform configured otherwise.
  case outOfDateConfigurationNeeded = "OutOfDateConfigurationNeeded"
  /// Launched on an old TDX module, running on a good one.
  case tdRelaunchAdvised = "TDRelaunchAdvised"
  /// The same, and the platform must be configured otherwise.
  case tdRelaunchAdvisedConfigurationNeeded = "TDRelaunchAdvisedConfigurationNeeded"
  /// Never to be accepted.
  case revoked = "Revoked"

  /// The verdict that the status alone leads to.
  public var verdict: VerdictKind {
    switch self {
    case .upToDate: return .valid
    case .swHardeningNeeded, .configurationNeeded, .configurationAndSWHardeningNeeded:
      return .validWithAdvice
    case .outOfDate, .outOfDateConfigurationNeeded, .tdRelaunchAdvised,
      .tdRelaunchAdvisedConfigurationNeeded:
      return .outOfDate
    case .revoked: return .revoked
    }
  }
}

/// What a verifier says about evidence: every claim, every check, and whether to trust it.
///
/// A rejected verdict is a value like any other, with all its reasons.
public struct Verdict: Sendable {
  /// What the evidence turned out to be.
  public let kind: VerdictKind
  /// The evidence as appraised; nil unless it is to be trusted under the policy.
  ///
  /// What releases secrets takes this value, so that it cannot be called with anything less.
  public let accepted: AppraisedEvidence?
  /// What the evidence states; nil where it could not be parsed.
  public let claims: Claims?
  /// Every check that was made, in order.
  public let checks: [Check]
  /// What the decision needs and was not given; empty unless the kind is `undecided` or worse.
  public let missing: [String]
  /// The platform's TCB status where the vendor issues one.
  public let tcbStatus: TCBStatus?
  /// Identifiers of the vendor's advisories that apply, sorted.
  public let advisories: [String]
  /// Whether the chain ends in a simulated vendor's root: no hardware protects anything.
  public let simulated: Bool
  /// The moment that the evidence was judged at.
  public let time: VerificationTime

  /// Whether the policy trusts the evidence.
  public var isTrusted: Bool { accepted != nil }
  /// The checks that failed.
  public var reasons: [Check] { checks.filter { !$0.passed } }
}

extension Verdict {
  init(
    _ findings: Findings, accepted: AppraisedEvidence?, claims: Claims?, at time: VerificationTime
  ) {
    self.init(
      kind: findings.kind, accepted: accepted, claims: claims, checks: findings.checks,
      missing: findings.missing, tcbStatus: findings.tcbStatus, advisories: findings.advisories,
      simulated: findings.simulated, time: time)
  }
}
