import Crypto
import TEEEvidence

/// Verification of Intel's quotes, for TDX and SGX (quote verification library, section 4.1.2).
enum QuoteVerification {
  /// Verifies the quote of `context`, records every check, and returns what the quote states, or
  /// nil where it could not be parsed.
  static func verify(_ context: VerificationContext, into findings: inout Findings) -> Claims? {
    let quote: Quote
    do {
      quote = try Quote(context.evidence.document)
    } catch {
      findings.malformed("quote", AttestationError(error, in: "quote"))
      return nil
    }
    let kind: TEEKind = quote.header.tee == .sgx ? .sgx : .tdx
    findings.equal("quote.tee", .text(kind.rawValue), .text(context.evidence.kind.rawValue))

    var platform = PlatformFindings()
    let pck = PCKChain(quote, context, into: &findings)
    verifySignatures(quote, pckKey: pck?.leafKey, &findings)
    if let pck {
      platform.pck = pck.platform
      IntelCollateral.verify(quote, pck, context, &platform, into: &findings)
    }
    return Claims(quote, kind, platform)
  }

  /// PCK key → QE report → attestation key → header and body.
  private static func verifySignatures(
    _ quote: Quote, pckKey: X509PublicKey?, _ findings: inout Findings
  ) {
    if let pckKey {
      findings.flag(
        "qe_report.signature",
        pckKey.verifies(raw: quote.qeReportSignature, over: quote.qeReportBytes), else: .tampered)
    }
    var hash = SHA256()
    hash.update(data: quote.attestationKey)
    hash.update(data: quote.qeAuthenticationData)
    let bound = Array(hash.finalize()) + [UInt8](repeating: 0, count: 32)
    findings.equal(
      "qe_report.report_data", .bytes(quote.qeReport.reportData), .bytes(bound), else: .tampered)
    let key = try? P256.Signing.PublicKey(rawRepresentation: quote.attestationKey)
    findings.flag(
      "quote.signature",
      key.map { X509PublicKey.p256($0).verifies(raw: quote.signature, over: quote.signedBytes) }
        ?? false,
      else: .tampered)
  }
}

extension X509PublicKey {
  /// Whether `signature`, r ‖ s big-endian, is this P-256 key's over the SHA-256 of `message`.
  func verifies(raw signature: [UInt8], over message: ArraySlice<UInt8>) -> Bool {
    guard case .p256(let key) = self,
      let parsed = try? P256.Signing.ECDSASignature(rawRepresentation: signature)
    else { return false }
    return key.isValidSignature(parsed, for: SHA256.hash(data: message))
  }
}

/// What endorsements say about the platform that made a quote.
struct PlatformFindings {
  /// The platform as its PCK certificate describes it.
  var pck: PCKExtension?
  /// `tcbEvaluationDataNumber` of the TCB info.
  var evaluationDataNumber: UInt32?
  /// What the TCB comes to.
  var appraisal: TCBAppraisal?
}
