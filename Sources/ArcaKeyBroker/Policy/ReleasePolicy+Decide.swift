import TEEAttestation

/// Judges evidence for the broker: whom it trusts, and whether simulation is allowed at all.
public struct EvidenceJudge: Sendable {
  /// The verifier, whose anchors hold simulated roots only where simulation is allowed.
  public let verifier: Verifier
  /// Whether evidence that no hardware stands behind is looked at.
  public let dangerouslyAcceptsSimulatedEvidence: Bool
  private let memory = VerificationMemory()

  /// A judge that trusts the vendors' roots and, where simulation is allowed, `simulatedRoots`:
  /// X.509 in DER, or the ARK of a SEV platform in AMD's format.
  public init(
    dangerouslyAcceptingSimulatedEvidence simulation: Bool, simulatedRoots: [[UInt8]]
  ) throws(AttestationError) {
    dangerouslyAcceptsSimulatedEvidence = simulation
    let signatures = RememberedSignatures()
    guard simulation, !simulatedRoots.isEmpty else {
      verifier = Verifier(memory: signatures)
      return
    }
    // DER starts with a sequence, AMD's format with its version, 1.
    var anchors = try TrustAnchors(certificates: simulatedRoots.filter { $0.first != 1 })
    for root in simulatedRoots where root.first == 1 {
      anchors = try anchors.adding(simulatedSEVRoot: root)
    }
    // A root without the mark would make simulated evidence look real.
    guard anchors.anchors.allSatisfy(\.isSimulated) else {
      throw AttestationError(.invalidKey, "simulated root: not marked as simulated")
    }
    verifier = Verifier(anchors: TrustAnchors.vendors.adding(anchors), memory: signatures)
  }

  /// The verdict on evidence before any rule is asked: signatures, chain and times, the bound
  /// report data, no debug, and a TCB that is not revoked.
  public func verdict(on evidence: AttestedEvidence, _ document: Evidence) -> Verdict {
    var policy = AppraisalPolicy.vendorOnly
    policy.identifier = "attestation"
    policy.reportData = document.kind.isMeasuredAtLaunch ? .any : .oneOf([evidence.reportData])
    policy.vmpl = document.kind == .snp ? .oneOf([0]) : .any
    policy.acceptedStatuses = TCBStatus.allCases
    policy.dangerouslyAcceptSimulatedEvidence = dangerouslyAcceptsSimulatedEvidence
    // Whether a list may be missing is for each rule to say; one that is there is checked here too.
    policy.dangerouslyAcceptMissingRevocationLists = true
    return verification(of: document, evidence, needsLists: false).verdict(under: policy)
  }

  // What holds with revocation lists holds without them too, so that one verification serves the
  // attestation and the rules.
  private func verification(
    of document: Evidence, _ evidence: AttestedEvidence, needsLists: Bool
  ) -> Verification {
    let strict = memory.verification(
      of: document, with: evidence.endorsements, at: evidence.time, by: verifier)
    return strict.holds || needsLists
      ? strict
      : verifier.verification(
        of: document, with: evidence.endorsements, needsRevocationLists: false, at: evidence.time)
  }

  /// What `policy` says about releasing `path` on `evidence`.
  public func decide(
    _ path: ResourcePath, under policy: ReleasePolicy, on evidence: AttestedEvidence
  ) -> ReleaseDecision {
    var considered: [ReleaseDecision.Consideration] = []
    for rule in policy.rules where rule.resources.contains(where: { $0.names(path) }) {
      let (basis, reasons) = appraise(evidence, by: rule)
      considered.append(
        .init(rule: rule.name, accepted: basis != nil, reasons: basis == nil ? reasons : []))
      if let basis {
        return ReleaseDecision(
          considered: considered, grant: ReleaseGrant(path: path, rule: rule.name, basis: basis))
      }
    }
    return ReleaseDecision(considered: considered, grant: nil)
  }

  private func appraise(
    _ evidence: AttestedEvidence, by rule: ReleaseRule
  ) -> (ReleaseGrant.Basis?, [String]) {
    switch evidence.received {
    case .tee(let document):
      let policy = rule.appraisalPolicy(for: document.kind, reportData: evidence.reportData)
      let verdict = verification(
        of: document, evidence, needsLists: !rule.dangerouslyAcceptMissingRevocationLists
      ).verdict(under: policy)
      return (verdict.accepted.map { .appraised($0) }, verdict.reasonTexts)
    case .sample(let reportData):
      var reasons: [String] = []
      if !rule.tees.contains(.sample) { reasons.append("tee: expected \(rule.tees), found sample") }
      if !dangerouslyAcceptsSimulatedEvidence || !rule.dangerouslyAcceptSimulatedEvidence {
        reasons.append("simulated: expected no, found yes")
      }
      // Sample evidence states no measurement, so a rule that demands one cannot accept it.
      if rule.platforms != .any || rule.workloads != .any || rule.signers != .any {
        reasons.append("platform, workload, signer: expected as listed, found none")
      }
      if reportData != evidence.reportData { reasons.append("report_data: not the bound value") }
      return (reasons.isEmpty ? .dangerousSample : nil, reasons)
    }
  }
}

extension Verdict {
  /// Each failed check and each missing part, one text each.
  public var reasonTexts: [String] {
    missing.map { "missing: \($0)" }
      + reasons.map { "\($0.name): expected \($0.expected.text), found \($0.found.text)" }
  }
}
