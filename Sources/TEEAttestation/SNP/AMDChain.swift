import TEEEvidence

/// The certificates that vouch for an SNP report: VCEK or VLEK, ASK or ASVK, ARK.
struct AMDChain {
  /// The key that signs reports.
  let leaf: CertificatePath.Member
  /// AMD's extensions of the leaf.
  let extensions: AMDKeyExtensions
  /// The path from the leaf to the root.
  let path: CertificatePath
  /// Key of the leaf; nil where it cannot be read.
  let leafKey: X509PublicKey?

  /// Whether the leaf is a VLEK, which a cloud provider shares among its machines.
  var isVLEK: Bool { extensions.providerID != nil }

  private static let vcek = (leaf: "vcek", authority: "ask")
  private static let vlek = (leaf: "vlek", authority: "asvk")

  /// Sorts `certificates` (DER, any order) into a chain.
  ///
  /// The first leaf counts, and of authorities and roots the one that is named as the issuer, so
  /// that those of every product line may be handed in. Records what cannot be parsed and what is
  /// missing, and is nil where there is no chain.
  init?(_ certificates: [[UInt8]], anchors: TrustAnchors, into findings: inout Findings) {
    var leaf: X509Certificate?
    var authorities: [X509Certificate] = []
    var roots: [X509Certificate] = []
    for der in certificates {
      if let anchor = anchors.anchor(exactly: der) {
        roots.append(anchor.certificate)
        continue
      }
      do throws(AttestationError) {
        let certificate = try X509Certificate(der: der)
        if AMDKeyExtensions.arePresent(in: certificate) {
          leaf = leaf ?? certificate
        } else if certificate.issuer == certificate.subject {
          roots.append(certificate)
        } else {
          authorities.append(certificate)
        }
      } catch {
        findings.malformed("endorsements.certificate", error)
      }
    }
    if leaf == nil { findings.lacks("the VCEK or VLEK certificate of the chip") }
    if authorities.isEmpty { findings.lacks("the ASK or ASVK certificate of the product line") }
    guard let leaf, let authority = Self.issuer(of: leaf, among: authorities) else { return nil }
    // A root that the caller trusts need not be handed in again.
    if roots.isEmpty {
      roots = anchors.anchors.map(\.certificate).filter { $0.subject == authority.issuer }
    }
    guard let root = Self.issuer(of: authority, among: roots) else {
      findings.lacks("the ARK certificate of the product line")
      return nil
    }
    do throws(AttestationError) {
      extensions = try AMDKeyExtensions(leaf)
    } catch {
      findings.malformed("endorsements.certificate", error)
      return nil
    }
    let names = extensions.providerID == nil ? Self.vcek : Self.vlek
    self.leaf = CertificatePath.Member(name: names.leaf, certificate: leaf)
    path = CertificatePath(members: [
      self.leaf, CertificatePath.Member(name: names.authority, certificate: authority),
      CertificatePath.Member(name: "ark", certificate: root),
    ])
    leafKey = try? leaf.publicKey()
  }

  // Where none is named as the issuer the first is taken, so that the verdict says what is wrong.
  private static func issuer(
    of certificate: X509Certificate, among candidates: [X509Certificate]
  ) -> X509Certificate? {
    candidates.first { $0.subject == certificate.issuer } ?? candidates.first
  }

  /// Checks the path, the revocation list and that every certificate is of one product line.
  func validate(_ context: VerificationContext, list: [UInt8]?, into findings: inout Findings) {
    let anchor = path.validate(context, into: &findings)
    checkProduct(&findings)
    let root = path.members[2]
    guard let list else {
      if context.needsRevocationLists {
        findings.lacks("the revocation list of the product line")
      }
      return
    }
    do throws(AttestationError) {
      let parsed = try X509CRL(list)
      CertificatePath.check(
        parsed, named: "crl", issuer: root.certificate,
        key: anchor?.key, revokes: [path.members[1]], in: context, into: &findings)
    } catch {
      findings.malformed("crl", error)
    }
  }

  private func checkProduct(_ findings: inout Findings) {
    findings.check(
      "\(leaf.name).product", expected: .list(SNPProduct.allCases.map(\.name)),
      found: .text(extensions.productName), passed: extensions.product != nil, else: .mismatch)
    guard let line = extensions.product?.name else { return }
    let authority = isVLEK ? "SEV-VLEK-\(line)" : "SEV-\(line)"
    for (member, name) in [(path.members[1], authority), (path.members[2], "ARK-\(line)")] {
      findings.equal(
        "\(member.name).product", .text(member.certificate.commonName ?? ""), .text(name))
    }
  }
}
