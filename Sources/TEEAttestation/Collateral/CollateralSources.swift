import ArcaBytes
import TEEEvidence

/// The services that vouch for evidence, and what of them a piece of evidence needs.
public struct CollateralSources: Sendable {
  /// Where Intel's documents come from.
  public var intel: IntelCertificationService
  /// Where AMD's documents come from.
  public var amd: AMDKeyDistributionService

  /// The vendors' own services, unless others are named.
  public init(
    intel: IntelCertificationService = .intel, amd: AMDKeyDistributionService = .amd
  ) {
    self.intel = intel
    self.amd = amd
  }

  /// Fetches everything that a verdict on `evidence` needs and the evidence does not bring.
  public func collect(
    for evidence: Evidence, through fetcher: some CollateralFetching
  ) throws(AttestationError) -> CollateralBundle {
    switch evidence.kind {
    case .snp: return try collectAMD(evidence, fetcher)
    case .tdx, .sgx: return try collectIntel(evidence, fetcher)
    // The platform hands in its whole chain, and AMD revokes none of these certificates.
    case .sevES, .sev: return CollateralBundle()
    }
  }

  private func collectAMD(
    _ evidence: Evidence, _ fetcher: some CollateralFetching
  ) throws(AttestationError) -> CollateralBundle {
    let report: SNPReport
    do { report = try SNPReport(evidence.document) } catch {
      throw AttestationError(error, in: "SNP report")
    }
    let table = try CertificateTableFiles(evidence)
    guard
      let product = SNPProduct(family: report.cpuid.family, model: report.cpuid.model)
        ?? table.product
    else {
      throw AttestationError(
        .malformed,
        "SNP report of version \(report.version): it does not name its product line; hand in the "
          + "certificate table that came with it")
    }
    let isVLEK = report.flags >> 2 & 7 == 1
    let key: AMDKeyDistributionService.EndorsementKey = isVLEK ? .vlek : .vcek
    var files = table.files
    if !isVLEK, files[.vcek] == nil {
      guard report.chipID.contains(where: { $0 != 0 }) else {
        throw AttestationError(
          .malformed, "SNP report: the host masks the chip's identity, so no VCEK can be asked for")
      }
      files[.vcek] = try fetcher.response(
        to: amd.vcek(
          product, chipID: report.chipID,
          tcb: SNPTCBVersion(report.reportedTCB, product: product))
      ).body
    }
    guard !isVLEK || files[.vlek] != nil else {
      throw AttestationError(
        .malformed,
        "SNP report signed by a VLEK: only the cloud provider has its certificate; hand in the "
          + "certificate table that came with the report")
    }
    let request = amd.certificateChain(product, key)
    let chain = try PEM.blocks(try fetcher.response(to: request).body)
    guard chain.count == 2 else {
      throw AttestationError(
        .malformed, "\(request.address): found \(chain.count) certificates, expected 2")
    }
    files[isVLEK ? .asvk : .ask] = chain[0].der
    files[.ark] = chain[1].der
    files[.revocationList] = try fetcher.response(to: amd.revocationList(product, key)).body
    return CollateralBundle(files: files)
  }

  private func collectIntel(
    _ evidence: Evidence, _ fetcher: some CollateralFetching
  ) throws(AttestationError) -> CollateralBundle {
    let quote: Quote
    do { quote = try Quote(evidence.document) } catch { throw AttestationError(error, in: "quote") }
    guard case .pckChain(let pem) = quote.certification,
      let leaf = try X509Certificate.chain(pem: pem).first
    else {
      throw AttestationError(
        .malformed,
        "quote with certification data of type \(quote.certification.type): it does not carry the "
          + "PCK chain (type 5) that names its platform")
    }
    guard let authority = IntelCertificationService.Authority(issuerOf: leaf) else {
      throw AttestationError(
        .malformed, "PCK certificate: its issuer is neither Intel's platform nor processor CA")
    }
    let tcbRequest = intel.tcbInfo(evidence.kind, fmspc: try PCKExtension(leaf).fmspc)
    let tcb = try fetcher.response(to: tcbRequest)
    let identityRequest = intel.qeIdentity(evidence.kind)
    let identity = try fetcher.response(to: identityRequest)
    let listRequest = intel.pckRevocationList(authority)
    let list = try fetcher.response(to: listRequest)
    let root = try fetcher.response(to: intel.rootRevocationList())
    return CollateralBundle(files: [
      .tcbInfo: tcb.body,
      .tcbInfoChain: try tcb.chain("TCB-Info-Issuer-Chain", for: tcbRequest),
      .qeIdentity: identity.body,
      .qeIdentityChain: try identity.chain(
        "SGX-Enclave-Identity-Issuer-Chain", for: identityRequest),
      .pckRevocationList: list.body,
      .pckRevocationListChain: try list.chain("SGX-PCK-CRL-Issuer-Chain", for: listRequest),
      .rootRevocationList: Self.binary(root.body),
    ])
  }

  /// A caching service sends the root's list as hexadecimal text.
  private static func binary(_ body: [UInt8]) -> [UInt8] {
    guard body.first == UInt8(ascii: "3") else { return body }
    return Hex.decode(String(decoding: body, as: UTF8.self).filter { !$0.isWhitespace }) ?? body
  }
}

/// What the certificate table beside a report brings already.
private struct CertificateTableFiles {
  var files: [CollateralBundle.File: [UInt8]] = [:]
  var product: SNPProduct?

  init(_ evidence: Evidence) throws(AttestationError) {
    guard !evidence.certificateTable.isEmpty else { return }
    let table: SNPCertificateTable
    do { table = try SNPCertificateTable(evidence.certificateTable) } catch {
      throw AttestationError(error, in: "SNP certificate table")
    }
    for entry in table.entries {
      switch entry.kind {
      case .vcek: files[.vcek] = entry.content
      case .vlek: files[.vlek] = entry.content
      default: continue
      }
      product = try AMDKeyExtensions(X509Certificate(der: entry.content)).product
    }
  }
}
