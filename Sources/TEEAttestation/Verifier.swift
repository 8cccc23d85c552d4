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

  /// A verifier that trusts `anchors`: the vendors' roots, unless the caller names others.
  public init(anchors: TrustAnchors = .vendors) {
    self.anchors = anchors
  }

  /// The verdict on `evidence`; never an error, since whatever is wrong is a reason in it.
  public func verdict(
    on evidence: Evidence, with endorsements: Endorsements = Endorsements(),
    under policy: AppraisalPolicy, at time: VerificationTime
  ) -> Verdict {
    var findings = Findings()
    let context = VerificationContext(
      evidence: evidence, endorsements: endorsements, anchors: anchors, time: time,
      needsRevocationLists: !policy.dangerouslyAcceptMissingRevocationLists)
    var claims: Claims?
    if evidence.document.count > Evidence.bytesMax {
      findings.malformed("evidence", AttestationError(.tooLarge, "more than 1 MiB"))
    } else {
      switch evidence.kind {
      case .snp: claims = SNPVerification.verify(context, into: &findings)
      case .tdx, .sgx: claims = QuoteVerification.verify(context, into: &findings)
      }
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
}
