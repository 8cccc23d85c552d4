/// Verifies evidence and judges it by a policy.
///
/// A pure function of evidence, endorsements, policy and a time: it reads no clock, no file and no
/// network.
///
/// Verifying an SNP report with the certificates and the revocation list that AMD serves:
///
/// ```swift
/// let evidence = Evidence(kind: .snp, document: report)
/// let endorsements = Endorsements(
///   amd: AMDEndorsements(certificates: [vcek, ask, ark], revocationList: crl))
/// var policy = AppraisalPolicy.vendorOnly
/// policy.platform = .oneOf([PlatformMeasurement(launchDigest)])
/// policy.workload = .oneOf([workloadDigest])
/// policy.reportData = .oneOf([nonceAndKeyDigest])
/// let verdict = Verifier().verdict(
///   on: evidence, with: endorsements, under: policy, at: VerificationTime(unixSeconds: now))
/// if let accepted = verdict.accepted { release(secret, to: accepted) }
/// ```
public struct Verifier: Sendable {
  /// The roots that chains may end in.
  public let anchors: TrustAnchors
  private let memory: (any SignatureMemory)?

  /// A verifier that trusts `anchors`: the vendors' roots, unless the caller names others.
  ///
  /// A `memory` changes no verdict; it saves a caller that verifies often the signatures of
  /// certificates and revocation lists that held before.
  public init(anchors: TrustAnchors = .vendors, memory: (any SignatureMemory)? = nil) {
    self.anchors = anchors
    self.memory = memory
  }

  /// The verdict on `evidence`; never an error, since whatever is wrong is a reason in it.
  public func verdict(
    on evidence: Evidence, with endorsements: Endorsements = Endorsements(),
    under policy: AppraisalPolicy, at time: VerificationTime
  ) -> Verdict {
    verification(
      of: evidence, with: endorsements,
      needsRevocationLists: !policy.dangerouslyAcceptMissingRevocationLists, at: time
    ).verdict(under: policy)
  }

  /// The part of a verdict that no policy changes but for its word on revocation lists, for callers
  /// that judge one piece of evidence by several policies.
  public func verification(
    of evidence: Evidence, with endorsements: Endorsements, needsRevocationLists: Bool,
    at time: VerificationTime
  ) -> Verification {
    var findings = Findings()
    let context = VerificationContext(
      evidence: evidence, endorsements: endorsements, anchors: anchors, time: time,
      needsRevocationLists: needsRevocationLists, memory: memory)
    var claims: Claims?
    if evidence.document.count > Evidence.bytesMax {
      findings.malformed("evidence", AttestationError(.tooLarge, "more than 1 MiB"))
    } else {
      switch evidence.kind {
      case .snp: claims = SNPVerification.verify(context, into: &findings)
      case .tdx, .sgx: claims = QuoteVerification.verify(context, into: &findings)
      case .sevES, .sev: claims = SEVVerification.verify(context, into: &findings)
      }
    }
    return Verification(
      findings: findings, claims: claims, needsRevocationLists: needsRevocationLists, time: time)
  }
}

/// What verification found about evidence, before any policy was asked.
public struct Verification: Sendable {
  let findings: Findings
  let claims: Claims?
  let needsRevocationLists: Bool
  let time: VerificationTime

  /// Whether every check held and nothing was missing.
  public var holds: Bool { findings.hold }

  /// The verdict by `policy`, whose word on revocation lists must be what was verified by.
  public func verdict(under policy: AppraisalPolicy) -> Verdict {
    var findings = findings
    // A caller's mistake must not make a policy laxer than it is.
    if !needsRevocationLists, !policy.dangerouslyAcceptMissingRevocationLists {
      findings.lacks("verification without revocation lists")
    }
    var verified: VerifiedEvidence?
    if let claims {
      if findings.hold {
        verified = VerifiedEvidence(
          claims: claims, tcbStatus: findings.tcbStatus, advisories: findings.advisories,
          simulated: findings.simulated)
      }
      policy.appraise(claims, into: &findings)
    }
    let isAccepted = findings.hold && !findings.chainOnly
    return Verdict(
      findings, accepted: isAccepted ? verified.map { AppraisedEvidence(verified: $0) } : nil,
      claims: claims, at: time)
  }
}

/// What one verification works on.
struct VerificationContext {
  /// What is to be verified.
  let evidence: Evidence
  /// What vouches for it.
  let endorsements: Endorsements
  /// The roots that are trusted.
  let anchors: TrustAnchors
  /// The moment to judge at.
  let time: VerificationTime
  /// Whether a missing revocation list leaves the verdict undecided.
  let needsRevocationLists: Bool
  /// Signatures that need not be computed again, where the caller keeps them.
  var memory: (any SignatureMemory)?
}
