import TEEEvidence

/// Verification of a quote against what Intel serves about its platform.
struct IntelCollateral {
  private let quote: Quote
  private let pck: PCKChain
  private let context: VerificationContext
  private var given: IntelEndorsements { context.endorsements.intel }

  /// Verifies TCB info, QE identity and revocation lists, then what they say about `quote`.
  static func verify(
    _ quote: Quote, _ pck: PCKChain, _ context: VerificationContext,
    _ platform: inout PlatformFindings, into findings: inout Findings
  ) {
    let collateral = IntelCollateral(quote: quote, pck: pck, context: context)
    let given = collateral.given
    if given.tcbInfo == nil, given.qeIdentity == nil, given.rootRevocationList == nil,
      given.pckRevocationList == nil
    {
      findings.chainOnly = true
      return
    }
    let info = collateral.tcbInfo(&findings)
    let identity = collateral.qeIdentity(&findings)
    let signers = collateral.signers(info, identity, &findings)
    collateral.revocation(signers, &findings)
    if let info { platform.evaluationDataNumber = info.evaluationDataNumber }
    if let info, let identity, let extensions = pck.platform {
      platform.appraisal = collateral.appraise(info, identity, extensions, &findings)
      findings.tcbStatus = platform.appraisal?.status
      findings.advisories = platform.appraisal?.advisories ?? []
    }
  }

  // MARK: Documents

  private func tcbInfo(_ findings: inout Findings) -> TCBInfo? {
    guard let bytes = given.tcbInfo else {
      findings.lacks("TCB info")
      return nil
    }
    do {
      let info = try TCBInfo(bytes)
      findings.validity(
        "tcb_info.validity", context.time, from: info.issueDate, until: info.nextUpdate)
      findings.equal("tcb_info.id", .text(info.tee.name), .text(quote.header.tee.name))
      return info
    } catch {
      findings.malformed("tcb_info", AttestationError(error, in: "TCB info"))
      return nil
    }
  }

  private func qeIdentity(_ findings: inout Findings) -> QEIdentity? {
    guard let bytes = given.qeIdentity else {
      findings.lacks("QE identity")
      return nil
    }
    do {
      let identity = try QEIdentity(bytes)
      findings.validity(
        "qe_identity.validity", context.time, from: identity.issueDate, until: identity.nextUpdate)
      findings.equal("qe_identity.id", .text(identity.tee.name), .text(quote.header.tee.name))
      return identity
    } catch {
      findings.malformed("qe_identity", AttestationError(error, in: "QE identity"))
      return nil
    }
  }

  // MARK: Signers

  private static let signerName = "Intel SGX TCB Signing"

  /// Verifies the documents' signatures and their signers' chains; returns the signers.
  private func signers(
    _ info: TCBInfo?, _ identity: QEIdentity?, _ findings: inout Findings
  ) -> [CertificatePath.Member] {
    var signers: [CertificatePath.Member] = []
    let infoChain = chain("tcb_info", given.tcbInfoChain, &findings)
    // Intel serves both documents with one chain; it is read once.
    let identityChain =
      given.qeIdentityChain == given.tcbInfoChain && infoChain != nil
      ? infoChain : chain("qe_identity", given.qeIdentityChain, &findings)
    if let info, let infoChain {
      signers += signer("tcb_info", infoChain, of: info.document, validated: nil, &findings)
    }
    if let identity, let identityChain {
      signers += signer(
        "qe_identity", identityChain, of: identity.document, validated: signers.first, &findings)
    }
    return signers
  }

  private func chain(
    _ document: String, _ pem: [UInt8]?, _ findings: inout Findings
  ) -> [X509Certificate]? {
    guard let pem else {
      findings.lacks("signing chain of \(document)")
      return nil
    }
    do {
      return try X509Certificate.chain(pem: pem)
    } catch {
      findings.malformed("\(document)_chain", error)
      return nil
    }
  }

  /// Verifies the signature of `document`, and its signer unless that is the one `validated`.
  private func signer(
    _ name: String, _ chain: [X509Certificate], of document: SignedCollateral,
    validated: CertificatePath.Member?, _ findings: inout Findings
  ) -> [CertificatePath.Member] {
    let path = CertificatePath(
      unordered: chain, named: ["\(name)_signer", "\(name)_root"], anchors: context.anchors)
    guard let signer = path.members.first,
      findings.check(
        "\(name)_chain.length", expected: .text("signer and root"),
        found: .text("\(chain.count) certificates, \(path.members.count) in the path"),
        passed: path.members.count == 2 && chain.count <= 2, else: .mismatch)
    else { return [] }
    let key = try? signer.certificate.publicKey()
    let holds = key?.verifies(raw: document.signature, over: document.signedBytes) ?? false
    findings.flag("\(name).signature", holds, else: .tampered)
    if let validated, validated.certificate.der == signer.certificate.der,
      chain.count == 1 || context.anchors.anchor(exactly: path.members[1].certificate.der) != nil
    {
      return []
    }
    path.validate(context, into: &findings)
    findings.equal(
      "\(name)_signer.subject", .text(signer.certificate.commonName ?? ""),
      .text(IntelCollateral.signerName))
    return [signer]
  }

  // MARK: Revocation

  // The PCK list must be the quote's own authority's, which the quote's chain vouches for; a chain
  // that comes with the list says nothing more and is not read.
  private func revocation(_ signers: [CertificatePath.Member], _ findings: inout Findings) {
    if let list = list("root_crl", given.rootRevocationList, &findings) {
      CertificatePath.check(
        list, named: "root_crl", issuer: pck.root.certificate,
        key: pck.rootAnchor?.key, revokes: [pck.authority] + signers, in: context,
        into: &findings)
    }
    if let list = list("pck_crl", given.pckRevocationList, &findings) {
      CertificatePath.check(
        list, named: "pck_crl", issuer: pck.authority.certificate,
        key: nil, revokes: [pck.leaf], in: context, into: &findings)
    }
  }

  private func list(_ name: String, _ bytes: [UInt8]?, _ findings: inout Findings) -> X509CRL? {
    guard let bytes else {
      if context.needsRevocationLists { findings.lacks(name) }
      return nil
    }
    do {
      return try X509CRL(bytes)
    } catch {
      findings.malformed(name, error)
      return nil
    }
  }

  // MARK: TCB

  private func appraise(
    _ info: TCBInfo, _ identity: QEIdentity, _ extensions: PCKExtension,
    _ findings: inout Findings
  ) -> TCBAppraisal? {
    findings.equal("tcb_info.fmspc", .bytes(info.fmspc), .bytes(extensions.fmspc))
    findings.equal("tcb_info.pceid", .bytes(info.pceID), .bytes(extensions.pceID))
    identity.verify(quote.qeReport, into: &findings)
    guard info.tee == quote.header.tee else { return nil }
    let enclave = identity.level(of: quote.qeReport.isvSVN)
    findings.check(
      "qe_report.isvsvn", expected: .list(identity.levels.map { "\($0.isvSVN)" }),
      found: .number(UInt64(quote.qeReport.isvSVN)), passed: enclave != nil, else: .tcbUnsupported)
    let report: TDReport? = if case .tdx(let report) = quote.body { report } else { nil }
    let level = info.level(of: extensions, teeTCBSVN: report?.teeTCBSVN)
    findings.check(
      "platform.tcb_level", expected: .text("at least one of \(info.levels.count) levels"),
      found: .list(extensions.versions(with: report)), passed: level != nil, else: .tcbUnsupported)
    let module = report.map { self.module(of: $0, info, &findings) }
    guard let level, let enclave, module?.isKnown ?? true else { return nil }
    return TCBAppraisal(
      platform: level.judgement, quotingEnclave: enclave.judgement, module: module?.judgement,
      current: current(report?.teeTCBSVN2, info, extensions, enclave.judgement))
  }

  /// Checks the TDX module of `report`; its judgement, where it is judged by levels of its own.
  private func module(
    of report: TDReport, _ info: TCBInfo, _ findings: inout Findings
  ) -> (isKnown: Bool, judgement: TCBJudgement?) {
    let identity = info.module(of: report.teeTCBSVN)
    findings.check(
      "tdx_module.identity", expected: .list(info.tdxModules.compactMap(\.id)),
      found: .number(UInt64(report.teeTCBSVN[1])), passed: identity != nil, else: .mismatch)
    guard let identity else { return (false, nil) }
    identity.verify(report, into: &findings)
    guard identity.id != nil else { return (true, nil) }
    let level = identity.level(of: report.teeTCBSVN[0])
    findings.check(
      "tdx_module.isvsvn", expected: .list(identity.levels.map { "\($0.isvSVN)" }),
      found: .number(UInt64(report.teeTCBSVN[0])), passed: level != nil, else: .tcbUnsupported)
    return (level != nil, level?.judgement)
  }

  /// The status with the TDX module that runs now, or nil where it is not told or not listed.
  private func current(
    _ teeTCBSVN2: [UInt8]?, _ info: TCBInfo, _ extensions: PCKExtension, _ enclave: TCBJudgement
  ) -> TCBStatus? {
    guard let teeTCBSVN2, let level = info.level(of: extensions, teeTCBSVN: teeTCBSVN2) else {
      return nil
    }
    let identity = info.module(of: teeTCBSVN2)
    let module = identity?.level(of: teeTCBSVN2[0])
    guard identity?.id == nil || module != nil else { return nil }
    return TCBAppraisal.converged(level.judgement, enclave, module?.judgement)
  }
}

extension QuoteHeader.TEE {
  /// The name that TCB info has for the TEE.
  var name: String { self == .sgx ? "SGX" : "TDX" }
}

extension PCKExtension {
  /// The platform's security versions as one line of text.
  func versions(with report: TDReport?) -> [String] {
    func text(_ name: String, _ values: SIMD16<UInt8>) -> String {
      name + " " + (0..<16).map { "\(values[$0])" }.joined(separator: " ")
    }
    var versions = [text("sgx", components), "pcesvn \(pceSVN)"]
    if let report {
      versions.append("tdx " + report.teeTCBSVN.map { "\($0)" }.joined(separator: " "))
    }
    return versions
  }
}
