import Crypto
import TEEEvidence

/// Verification of SNP reports (AMD 56860 and 57230).
///
/// Not covered by the report's signature are the signature's own field and the 368 bytes after r
/// and s; those must be zero, as must the upper 24 bytes of r and of s, so that one report has one
/// encoding. Certificates that the chain does not use are parsed and otherwise not looked at.
enum SNPVerification {
  /// Verifies the report of `context`, records every check, and returns what the report states, or
  /// nil where it could not be parsed.
  static func verify(_ context: VerificationContext, into findings: inout Findings) -> Claims? {
    let document = context.evidence.document
    let report: SNPReport
    do throws(EvidenceError) {
      report = try SNPReport(document)
    } catch {
      findings.malformed("report", AttestationError(error, in: "SNP report"))
      return nil
    }
    var certificates = context.endorsements.amd.certificates
    var list = context.endorsements.amd.revocationList
    readTable(context.evidence.certificateTable, &certificates, &list, &findings)
    checkFormat(report, &findings)
    let chain = AMDChain(certificates, anchors: context.anchors, into: &findings)
    let reported = SNPProduct(family: report.cpuid.family, model: report.cpuid.model)
    if let chain {
      chain.validate(context, list: list, into: &findings)
      checkSignature(of: report, document, chain, &findings)
      checkKey(of: report, chain, reported, &findings)
    }
    // A version 2 report does not name its product; the certificate does.
    let product = report.version >= 3 ? reported : chain?.extensions.product
    return Claims(report, product: product)
  }

  /// Verifies a VCEK or VLEK with its chain, where there is no report to verify.
  static func verifyChain(_ context: VerificationContext, into findings: inout Findings) {
    findings.chainOnly = true
    let amd = context.endorsements.amd
    AMDChain(amd.certificates, anchors: context.anchors, into: &findings)?
      .validate(context, list: amd.revocationList, into: &findings)
  }

  private static func readTable(
    _ bytes: [UInt8], _ certificates: inout [[UInt8]], _ list: inout [UInt8]?,
    _ findings: inout Findings
  ) {
    guard !bytes.isEmpty else { return }
    do throws(EvidenceError) {
      for entry in try SNPCertificateTable(bytes).entries {
        if entry.kind == .crl {
          list = list ?? entry.content
        } else {
          certificates.append(entry.content)
        }
      }
    } catch {
      findings.malformed("certificate_table", AttestationError(error, in: "certificate table"))
    }
  }

  private static func checkFormat(_ report: SNPReport, _ findings: inout Findings) {
    findings.flag("report.reserved_zero", report.reservedIsZero, else: .mismatch)
    findings.flag("report.policy.bit_17", report.policy.reservedBitIsSet, else: .mismatch)
    // Bits that no version defines could loosen what is checked here.
    findings.equal("report.policy.reserved", .number(report.policy.rawValue >> 26), .number(0))
    findings.equal("report.flags.reserved", .number(UInt64(report.flags >> 5)), .number(0))
    let upper =
      report.signature.r[48...].allSatisfy { $0 == 0 }
      && report.signature.s[48...].allSatisfy { $0 == 0 }
    findings.flag("report.signature.upper_zero", upper, else: .tampered)
    findings.flag("report.signature.tail_zero", report.tailIsZero, else: .tampered)
  }

  private static func checkSignature(
    of report: SNPReport, _ document: [UInt8], _ chain: AMDChain, _ findings: inout Findings
  ) {
    guard case .p384(let key) = chain.leafKey else {
      findings.check(
        "\(chain.leaf.name).key", expected: .text("P-384"), found: .text("another kind"),
        passed: false, else: .mismatch)
      return
    }
    // AMD writes the numbers little-endian, ECDSA libraries read them big-endian.
    let raw = report.signature.r[..<48].reversed() + report.signature.s[..<48].reversed()
    let signature = try? P384.Signing.ECDSASignature(rawRepresentation: raw)
    let digest = SHA384.hash(data: document[..<SNPReport.signedByteCount])
    findings.flag(
      "report.signature", signature.map { key.isValidSignature($0, for: digest) } ?? false,
      else: .tampered)
  }

  private static func checkKey(
    of report: SNPReport, _ chain: AMDChain, _ reported: SNPProduct?, _ findings: inout Findings
  ) {
    let leaf = chain.leaf.name
    let kind: UInt64 = chain.isVLEK ? 1 : 0
    findings.equal("report.signing_key", .number(UInt64(report.flags >> 2 & 7)), .number(kind))
    let product = chain.extensions.product
    if let product {
      if report.version >= 3 {
        findings.equal("report.cpuid", .text(reported?.name ?? "unknown"), .text(product.name))
      }
      checkTCB(report.reportedTCB, product, chain, &findings)
    }
    if !chain.isVLEK, let certified = chain.extensions.hardwareID {
      checkChip(report.chipID, certified, product, &findings)
    }
    findings.flag(
      "\(leaf).hw_id_present", chain.extensions.hardwareID != nil, is: !chain.isVLEK,
      else: .mismatch)
  }

  private static func checkTCB(
    _ field: [UInt8], _ product: SNPProduct, _ chain: AMDChain, _ findings: inout Findings
  ) {
    let tcb = SNPTCBVersion(field, product: product)
    var components: [(name: String, arc: UInt8, found: UInt8)] = [
      ("bootloader", 1, tcb.bootloader), ("tee", 2, tcb.tee), ("snp", 3, tcb.snp),
      ("microcode", 8, tcb.microcode),
    ]
    if product == .turin { components.append(("fmc", 9, tcb.fmc)) }
    for component in components {
      let certified = chain.extensions.versions[component.arc]
      findings.equal(
        "report.reported_tcb.\(component.name)", .number(UInt64(component.found)),
        certified.map { .number(UInt64($0)) } ?? .text("nothing certified"))
    }
    // The reserved arcs are 4 to 7; Turin's layout has room for the last three.
    for (index, found) in tcb.reserved.enumerated() {
      let arc = UInt8(8 - tcb.reserved.count + index)
      findings.equal(
        "report.reported_tcb.reserved_\(arc)", .number(UInt64(found)),
        .number(UInt64(chain.extensions.versions[arc] ?? 0)))
    }
  }

  private static func checkChip(
    _ chipID: [UInt8], _ certified: [UInt8], _ product: SNPProduct?, _ findings: inout Findings
  ) {
    let width = product == .turin ? 8 : 64
    let padded = certified + [UInt8](repeating: 0, count: max(0, 64 - certified.count))
    findings.check(
      "report.chip_id", expected: .bytes(padded), found: .bytes(chipID),
      passed: certified.count == width && padded == chipID, else: .mismatch)
  }
}

extension Verifier {
  /// The verdict on a VCEK or VLEK alone: `chain-valid` where its chain holds; never trusted, since
  /// there is no evidence.
  public func verdict(
    onChainOf endorsements: AMDEndorsements, needsRevocationList: Bool = true,
    at time: VerificationTime
  ) -> Verdict {
    var findings = Findings()
    let context = VerificationContext(
      evidence: Evidence(kind: .snp, document: []), endorsements: Endorsements(amd: endorsements),
      anchors: anchors, time: time, needsRevocationLists: needsRevocationList)
    SNPVerification.verifyChain(context, into: &findings)
    return Verdict(findings, accepted: nil, claims: nil, at: time)
  }
}
