/// A chain of certificates, leaf first and root last, with a name for each by which checks call it.
struct CertificatePath {
  /// One certificate of the chain.
  struct Member {
    /// What checks call it: `vcek`, `ask`, `pck_ca`.
    let name: String
    /// The certificate.
    let certificate: X509Certificate
  }

  /// Leaf first, root last.
  let members: [Member]

  /// Checks issuers, signatures, constraints and validity down from a trusted root.
  ///
  /// The rules are those of RFC 5280, section 6.1; each check is recorded. Returns the root's
  /// anchor, or nil where it is not trusted.
  ///
  /// Where the root is not trusted the chain is still checked under the root's own key, so that
  /// the verdict has every reason.
  @discardableResult
  func validate(
    anchors: TrustAnchors, at time: VerificationTime, into findings: inout Findings
  ) -> TrustAnchor? {
    guard let root = members.last else { return nil }
    let (anchor, rootKey) = validateRoot(root, anchors, time, &findings)
    var issuer = root
    var issuerKey = rootKey
    for (depth, member) in members.dropLast().enumerated().reversed() {
      validate(member, depth, issuedBy: issuer, issuerKey, time, &findings)
      issuer = member
      issuerKey = depth > 0 ? try? member.certificate.publicKey() : nil
    }
    return anchor
  }

  private func validateRoot(
    _ root: Member, _ anchors: TrustAnchors, _ time: VerificationTime, _ findings: inout Findings
  ) -> (TrustAnchor?, X509PublicKey?) {
    let certificate = root.certificate
    let same = anchors.anchor(exactly: certificate.der)
    let anchor = same ?? anchors.anchor(matching: certificate)
    findings.flag("\(root.name).trusted", anchor != nil, else: .untrustedRoot)
    let key = anchor?.key ?? (try? certificate.publicKey())
    if same == nil {
      let holds =
        key?.verifies(certificate.signature, over: certificate.tbs, certificate.signatureAlgorithm)
        ?? false
      findings.flag("\(root.name).signature", holds, else: .tampered)
    }
    findings.validity(
      "\(root.name).validity", time, from: certificate.notBefore, until: certificate.notAfter)
    // Said of untrusted roots too: it tells whoever reads the verdict what they have.
    if anchor?.isVendors != true, certificate.isMarkedSimulated { findings.simulated = true }
    return (anchor, key)
  }

  private func validate(
    _ member: Member, _ depth: Int, issuedBy issuer: Member, _ issuerKey: X509PublicKey?,
    _ time: VerificationTime, _ findings: inout Findings
  ) {
    let certificate = member.certificate
    let authority = issuer.certificate
    findings.equal(
      "\(member.name).issuer", .bytes(Array(certificate.issuer)), .bytes(Array(authority.subject)))
    findings.flag(
      "\(issuer.name).may_issue",
      authority.isAuthority && authority.allows(X509Certificate.KeyUsage.certificateSigning)
        && authority.pathLengthMax.map { $0 >= depth } ?? true,
      else: .mismatch)
    let algorithm = certificate.signatureAlgorithm
    findings.check(
      "\(member.name).signature_algorithm", expected: .list(Self.algorithms),
      found: .text(algorithm.rawValue), passed: algorithm != .other, else: .mismatch)
    if algorithm != .other {
      let holds =
        issuerKey?.verifies(certificate.signature, over: certificate.tbs, algorithm) ?? false
      findings.flag("\(member.name).signature", holds, else: .tampered)
    }
    findings.validity(
      "\(member.name).validity", time, from: certificate.notBefore, until: certificate.notAfter)
  }

  private static let algorithms = [
    SignatureAlgorithm.ecdsaSHA256.rawValue, SignatureAlgorithm.ecdsaSHA384.rawValue,
    SignatureAlgorithm.rsaPSSSHA384.rawValue,
  ]

  /// Checks a revocation list against its issuer and the time, and that it does not name `listed`.
  ///
  /// `name` is what checks call the list; `key` is the issuer's, so that it is read once.
  static func check(
    _ list: X509CRL, named name: String, issuer: X509Certificate, key: X509PublicKey?,
    revokes members: [Member], at time: VerificationTime, into findings: inout Findings
  ) {
    findings.equal("\(name).issuer", .bytes(Array(list.issuer)), .bytes(Array(issuer.subject)))
    findings.flag(
      "\(name).issuer_may_sign", issuer.allows(X509Certificate.KeyUsage.listSigning),
      else: .mismatch)
    let holds = key?.verifies(list.signature, over: list.tbs, list.signatureAlgorithm) ?? false
    findings.flag("\(name).signature", holds, else: .tampered)
    findings.validity("\(name).validity", time, from: list.thisUpdate, until: list.nextUpdate)
    for member in members {
      findings.flag(
        "\(member.name).revoked", list.lists(member.certificate.serialNumber), is: false,
        else: .revoked)
    }
  }
}
