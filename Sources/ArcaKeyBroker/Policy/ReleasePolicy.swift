import TEEAttestation

/// Which resources are released to which attesters: rules, of which the first that accepts decides.
///
/// There is no rule that denies, and a resource that no rule names is released to nobody.
public struct ReleasePolicy: Sendable {
  /// Version of the format.
  public static let version: UInt64 = 1
  /// Rules at most.
  public static let rulesMax = 1024

  /// The rules in their order.
  public let rules: [ReleaseRule]
}

/// One rule: these resources, for attesters of which all of this holds.
public struct ReleaseRule: Sendable {
  /// A name for the audit log.
  public let name: String
  /// The resources.
  public let resources: [ResourcePattern]
  /// Kinds of TEE; `sample` is among them only beside the dangerous option.
  public let tees: [AttesterKind]
  /// Platform measurements.
  public let platforms: Expectation<PlatformMeasurement>
  /// Workload digests, 32 bytes each.
  public let workloads: Expectation<[UInt8]>
  /// Signers of the TEE's identity: SNP ID key digests, SGX MRSIGNER.
  public let signers: Expectation<[UInt8]>
  /// Lowest security version numbers by component.
  public let minimumTCB: [TCBVersion.Component]
  /// TCB statuses accepted where the vendor issues one.
  public let statuses: [TCBStatus]
  /// Advisories that may apply.
  public let advisories: Expectation<String>
  /// Accept evidence that no hardware stands behind.
  public let dangerouslyAcceptSimulatedEvidence: Bool
  /// Accept evidence without a revocation list to check it by.
  public let dangerouslyAcceptMissingRevocationLists: Bool

  /// What the rule demands of evidence of `kind` that must bind `reportData`; never a TEE that can
  /// be debugged or migrated, and at SNP only the highest privilege level.
  ///
  /// A launch of SEV-ES or SEV is bound to its session by the key of its measurement instead.
  func appraisalPolicy(for kind: TEEKind, reportData: [UInt8]) -> AppraisalPolicy {
    AppraisalPolicy(
      identifier: name, tee: .oneOf(tees.compactMap { TEEKind(rawValue: $0.rawValue) }),
      platform: platforms, workload: workloads,
      reportData: kind.isMeasuredAtLaunch ? .any : .oneOf([reportData]), signer: signers,
      vmpl: kind == .snp ? .oneOf([0]) : .any, chipID: .any, migratable: .oneOf([false]),
      minimumTCB: minimumTCB, acceptedStatuses: statuses, advisories: advisories,
      dangerouslyAcceptDebug: false,
      dangerouslyAcceptSimulatedEvidence: dangerouslyAcceptSimulatedEvidence,
      dangerouslyAcceptMissingRevocationLists: dangerouslyAcceptMissingRevocationLists)
  }
}

/// What rules are applied to: evidence as received, and what it is judged with.
public struct AttestedEvidence: Sendable {
  /// The evidence.
  public let received: ReceivedEvidence
  /// What the evidence must bind, 48 bytes.
  public let reportData: [UInt8]
  /// The vendors' endorsements, those that the attester brought among them.
  public let endorsements: Endorsements
  /// The moment to judge at.
  public let time: VerificationTime

  /// Gathers what rules are applied to.
  public init(
    received: ReceivedEvidence, reportData: [UInt8], endorsements: Endorsements,
    time: VerificationTime
  ) {
    self.received = received
    self.reportData = reportData
    self.endorsements = endorsements
    self.time = time
  }
}

/// The right to release one resource to one attester; only a policy's decision makes it.
public struct ReleaseGrant: Sendable {
  /// Why the attester is trusted.
  public enum Basis: Sendable {
    /// Evidence that was verified and appraised.
    case appraised(AppraisedEvidence)
    /// Nothing: sample evidence, where configuration and rule both allow it.
    case dangerousSample
  }

  /// The resource.
  public let path: ResourcePath
  /// The rule that granted it.
  public let rule: String
  /// Why.
  public let basis: Basis

  /// Whether no hardware stands behind the evidence.
  public var simulated: Bool {
    switch basis {
    case .appraised(let evidence): evidence.verified.simulated
    case .dangerousSample: true
    }
  }

  init(path: ResourcePath, rule: String, basis: Basis) {
    self.path = path
    self.rule = rule
    self.basis = basis
  }
}

/// What a policy says about one resource and one attester, with the reasons of every rule.
public struct ReleaseDecision: Sendable {
  /// What one rule that names the resource came to.
  public struct Consideration: Sendable {
    /// The rule.
    public let rule: String
    /// Whether it accepted.
    public let accepted: Bool
    /// Why not, each with what was expected and found; empty where it accepted.
    public let reasons: [String]
  }

  /// The rules that name the resource, up to the one that accepted.
  public let considered: [Consideration]
  /// The grant, or nil where the resource is not to be released.
  public let grant: ReleaseGrant?

  /// Why there is no grant; nil where there is one.
  public var refusal: KeyBrokerError.Code? {
    grant != nil ? nil : considered.isEmpty ? .noRule : .policyDenied
  }

  /// Every rule with its reasons, one a line.
  public var text: String {
    if considered.isEmpty { return "no rule names the resource" }
    return considered.map { rule in
      rule.accepted
        ? "rule \(rule.rule): accepts"
        : "rule \(rule.rule): refuses: " + rule.reasons.joined(separator: "; ")
    }.joined(separator: "\n")
  }
}
