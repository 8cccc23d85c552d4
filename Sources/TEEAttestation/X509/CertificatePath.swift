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
    _ context: VerificationContext, into findings: inout Findings
  ) -> TrustAnchor? {
    guard let root = members.last else { return nil }
    let anchor = validateRoot(root, context, &findings)
    var issuer = root
    // A key that no anchor has is read where a signature is computed.
    var issuerKey = anchor?.key
    for (depth, member) in members.dropLast().enumerated().reversed() {
      validate(member, depth, issuedBy: issuer, issuerKey, context, &findings)
      issuer = member
      issuerKey = nil
    }
    return anchor
  }

  private func validateRoot(
    _ root: Member, _ context: VerificationContext, _ findings: inout Findings
  ) -> TrustAnchor? {
    let certificate = root.certificate
    let same = context.anchors.anchor(exactly: certificate.der)
    let anchor = same ?? context.anchors.anchor(matching: certificate)
    findings.flag("\(root.name).trusted", anchor != nil, else: .untrustedRoot)
    if same == nil {
      let holds = context.holds(
        certificate.signature, over: certificate.tbs, certificate.signatureAlgorithm,
        of: certificate.der, by: certificate, key: anchor?.key)
      findings.flag("\(root.name).signature", holds, else: .tampered)
    }
    findings.validity(
      "\(root.name).validity", context.time, from: certificate.notBefore,
      until: certificate.notAfter)
    // Said of untrusted roots too: it tells whoever reads the verdict what they have.
    if anchor?.isVendors != true, certificate.isMarkedSimulated { findings.simulated = true }
    return anchor
  }

  private func validate(
    _ member: Member, _ depth: Int, issuedBy issuer: Member, _ issuerKey: X509PublicKey?,
    _ context: VerificationContext, _ findings: inout Findings
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
      let holds = context.holds(
        certificate.signature, over: certificate.tbs, algorithm, of: certificate.der,
        by: authority, key: issuerKey)
      findings.flag("\(member.name).signature", holds, else: .tampered)
    }
    findings.validity(
      "\(member.name).validity", context.time, from: certificate.notBefore,
      until: certificate.notAfter)
  }

  private static let algorithms = [
    SignatureAlgorithm.ecdsaSHA256.rawValue, SignatureAlgorithm.ecdsaSHA384.rawValue,
    SignatureAlgorithm.rsaPSSSHA384.rawValue,
  ]

  /// Checks a revocation list against its issuer and the time, and that it does not name `listed`.
  ///
  /// `name` is what checks call the list; `key` is the issuer's where it has been read already.
  static func check(
    _ list: X509CRL, named name: String, issuer: X509Certificate, key: X509PublicKey?,
    revokes members: [Member], in context: VerificationContext, into findings: inout Findings
  ) {
    findings.equal("\(name).issuer", .bytes(Array(list.issuer)), .bytes(Array(issuer.subject)))
    findings.flag(
      "\(name).issuer_may_sign", issuer.allows(X509Certificate.KeyUsage.listSigning),
      else: .mismatch)
    let holds = context.holds(
      list.signature, over: list.tbs, list.signatureAlgorithm, of: list.der, by: issuer, key: key)
    findings.flag("\(name).signature", holds, else: .tampered)
    findings.validity(
      "\(name).validity", context.time, from: list.thisUpdate, until: list.nextUpdate)
    for member in members {
      findings.flag(
        "\(member.name).revoked", list.lists(member.certificate.serialNumber), is: false,
        else: .revoked)
    }
  }
}
