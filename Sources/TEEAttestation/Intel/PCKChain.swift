import TEEEvidence

/// The certificates that lead from a quote's PCK key to a trusted root.
struct PCKChain {
  /// The certificate of the key that signed the QE report.
  let leaf: CertificatePath.Member
  /// The leaf's key; nil where it is not a key.
  let leafKey: X509PublicKey?
  /// The authority that issued the leaf, for its revocation list.
  let authority: CertificatePath.Member
  /// The root as the chain presents it.
  let root: CertificatePath.Member
  /// The anchor that the root is; nil where it is not trusted.
  let rootAnchor: TrustAnchor?
  /// What the leaf says of the platform; nil where its extension could not be read.
  let platform: PCKExtension?

  private static let leafName = "Intel SGX PCK Certificate"
  private static let authorityNames = ["Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"]

  /// Reads and validates the chain of `quote`, or nil where there is none to be read.
  init?(_ quote: Quote, _ context: VerificationContext, into findings: inout Findings) {
    guard let pem = PCKChain.pem(quote, context, &findings) else { return nil }
    let certificates: [X509Certificate]
    do {
      certificates = try X509Certificate.chain(pem: pem)
    } catch {
      findings.malformed("pck_chain", error)
      return nil
    }
    let names = ["pck", "pck_ca", "root"]
    let path = CertificatePath(
      unordered: certificates, named: names, anchors: context.anchors)
    guard
      findings.check(
        "pck_chain.length", expected: .text("leaf, authority and root"),
        found: .text("\(certificates.count) certificates, \(path.members.count) in the path"),
        passed: path.members.count == 3 && certificates.count <= 3, else: .mismatch)
    else {
      path.validate(context, into: &findings)
      return nil
    }
    leaf = path.members[0]
    authority = path.members[1]
    root = path.members[2]
    leafKey = try? leaf.certificate.publicKey()
    rootAnchor = path.validate(context, into: &findings)
    findings.equal(
      "pck.subject", .text(leaf.certificate.commonName ?? ""), .text(PCKChain.leafName))
    let authorityName = authority.certificate.commonName ?? ""
    findings.check(
      "pck_ca.subject", expected: .list(PCKChain.authorityNames), found: .text(authorityName),
      passed: PCKChain.authorityNames.contains(authorityName), else: .mismatch)
    do {
      platform = try PCKExtension(leaf.certificate)
    } catch {
      findings.malformed("pck.extension", error)
      platform = nil
    }
  }

  /// The PEM chain: the quote's own, else the caller's.
  private static func pem(
    _ quote: Quote, _ context: VerificationContext, _ findings: inout Findings
  ) -> [UInt8]? {
    if case .pckChain(let chain) = quote.certification { return chain }
    if let chain = context.endorsements.intel.pckChain {
      if case .pckLeaf(let leaf) = quote.certification {
        // What vouches for the quote's own leaf must start with that leaf.
        let given = try? X509Certificate.chain(pem: chain).first?.der
        let own = try? X509Certificate.chain(pem: leaf).first?.der
        findings.equal("pck_chain.leaf", .bytes(given ?? []), .bytes(own ?? []))
      }
      return chain
    }
    findings.check(
      "quote.certification_data_type", expected: .number(5),
      found: .number(UInt64(quote.certification.type)), passed: false, else: .malformed)
    return nil
  }
}

extension CertificatePath {
  /// The path that starts at the first of `certificates`, whose others may be in any order; a
  /// root that is left out is taken from `anchors`.
  init(unordered certificates: [X509Certificate], named names: [String], anchors: TrustAnchors) {
    var rest = certificates[...]
    var members: [Member] = []
    var next = rest.popFirst()
    while let certificate = next, members.count < names.count {
      members.append(Member(name: names[members.count], certificate: certificate))
      if certificate.issuer.elementsEqual(certificate.subject) { break }
      if let index = rest.firstIndex(where: { $0.subject.elementsEqual(certificate.issuer) }) {
        next = rest.remove(at: index)
      } else if rest.isEmpty {
        next =
          anchors.anchors.first {
            $0.certificate.subject.elementsEqual(certificate.issuer)
          }?.certificate
      } else {
        // A name that leads nowhere: the next certificate is what was meant, and the checks say so.
        // An anchor in its place would leave that certificate unread.
        next = rest.popFirst()
      }
    }
    self.init(members: members)
  }
}
