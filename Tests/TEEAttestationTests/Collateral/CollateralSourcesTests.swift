import ArcaBytes
import Crypto
import CryptoExtras
import TEEAttestation
import TEEEvidence
import Testing

/// A service in memory: the answers by address.
private struct Shelf: CollateralFetching {
  var answers: [String: CollateralResponse]

  func response(to request: CollateralRequest) throws(AttestationError) -> CollateralResponse {
    guard let answer = answers[request.address] else {
      throw AttestationError(.inputOutput, request.address)
    }
    return answer
  }
}

@Suite struct CollateralSourcesTests {
  private static let issued = VerificationTime(unixSeconds: 1_760_000_000)
  private static let later = VerificationTime(unixSeconds: 1_760_086_400)
  private let sources = CollateralSources(
    intel: IntelCertificationService(cachingServiceAt: "http://pccs"),
    amd: AMDKeyDistributionService(base: "http://kds/"))

  private func code(_ body: () throws -> Void) -> AttestationError.Code? {
    #expect(throws: AttestationError.self, performing: body)?.code
  }

  private static func percentEncoded(_ bytes: [UInt8]) -> String {
    bytes.map { "%" + Hex.encode([$0]) }.joined()
  }

  private static func decision(
    _ evidence: Evidence, _ bundle: CollateralBundle, root: [UInt8]
  ) throws -> (trusted: Bool, missing: [String]) {
    var policy = AppraisalPolicy.vendorOnly
    policy.dangerouslyAcceptSimulatedEvidence = true
    let verdict = Verifier(anchors: try TrustAnchors(certificates: [root])).verdict(
      on: evidence, with: bundle.endorsements, under: policy, at: later)
    return (verdict.isTrusted, verdict.missing)
  }

  // MARK: Intel

  private static func intelShelf(
    _ vendor: SimulatedIntel, _ kind: TEEKind
  ) throws -> Shelf {
    let given = try vendor.endorsements(for: kind == .sgx ? .sgx : .tdx, at: issued)
    func headers(_ name: String, _ chain: [UInt8]?) throws -> [String: String] {
      [name: percentEncoded(try #require(chain))]
    }
    let path = "http://pccs/\(kind.rawValue)/certification/v4"
    let chain = try #require(given.tcbInfoChain)
    return Shelf(answers: [
      "\(path)/tcb?fmspc=00a06d0a0000": CollateralResponse(
        body: try #require(given.tcbInfo), headers: try headers("tcb-info-issuer-chain", chain)),
      "\(path)/qe/identity": CollateralResponse(
        body: try #require(given.qeIdentity),
        headers: try headers("sgx-enclave-identity-issuer-chain", given.qeIdentityChain)),
      "http://pccs/sgx/certification/v4/pckcrl?ca=platform&encoding=der": CollateralResponse(
        body: try #require(given.pckRevocationList),
        headers: try headers("sgx-pck-crl-issuer-chain", chain)),
      "http://pccs/sgx/certification/v4/rootcacrl": CollateralResponse(
        body: Array(Hex.encode(try #require(given.rootRevocationList)).utf8)),
    ])
  }

  @Test func quotesAreTrustedWithWhatIsCollectedForThem() throws {
    let vendor = try SimulatedIntel.create(at: Self.issued)
    let quotes: [(TEEKind, Quote.Body, UInt16)] = [
      (.sgx, .sgx(EnclaveReport()), 3), (.tdx, .tdx(TDReport(is15: false)), 4),
    ]
    for (kind, body, version) in quotes {
      let evidence = Evidence(kind: kind, document: try vendor.quote(body, version: version))
      let bundle = try sources.collect(for: evidence, through: Self.intelShelf(vendor, kind))
      let kinds: [CollateralBundle.File] = [
        .tcbInfo, .tcbInfoChain, .qeIdentity, .qeIdentityChain, .rootRevocationList,
        .pckRevocationList, .pckRevocationListChain,
      ]
      #expect(Set(bundle.files.keys) == Set(kinds))
      #expect(try Self.decision(evidence, bundle, root: vendor.root).missing == [])
      for file in [CollateralBundle.File.tcbInfo, .qeIdentity, .rootRevocationList] {
        var less = bundle
        less.files[file] = nil
        #expect(try !Self.decision(evidence, less, root: vendor.root).trusted, "\(file)")
      }
    }
  }

  @Test func issuersChainsMustComeInTheirHeaders() throws {
    let vendor = try SimulatedIntel.create(at: Self.issued)
    let quote = try vendor.quote(.sgx(EnclaveReport()), version: 3)
    let evidence = Evidence(kind: .sgx, document: quote)
    let good = try Self.intelShelf(vendor, .sgx)
    for (address, answer) in good.answers where !answer.headers.isEmpty {
      for headers in [[:], answer.headers.mapValues { _ in "%4" }] {
        var shelf = good
        shelf.answers[address] = CollateralResponse(body: answer.body, headers: headers)
        #expect(
          code { _ = try sources.collect(for: evidence, through: shelf) } == .malformed,
          "\(address)")
      }
    }
    for address in good.answers.keys {
      var shelf = good
      shelf.answers[address] = nil
      #expect(
        code { _ = try sources.collect(for: evidence, through: shelf) } == .inputOutput,
        "\(address)")
    }
  }

  // MARK: AMD

  /// One key for every authority, since making one takes seconds.
  private static let authorityKey = Result {
    try _RSA.Signing.PrivateKey(keySize: .init(bitCount: 4096))
  }

  @Test(arguments: [SNPProduct.milan, .genoa, .turin])
  func reportsAreTrustedWithWhatIsCollectedForThem(_ product: SNPProduct) throws {
    let key = try Self.authorityKey.get()
    let vendor = try SimulatedAMD(
      product: product, arkKey: key, askKey: key, vcekKey: .init(),
      hardwareID: [UInt8](repeating: 9, count: product == .turin ? 8 : 64), at: Self.issued)
    let document = try vendor.device().report(reportData: [1], hostData: [2], measurement: [3])
    let report = try SNPReport(document)
    let tcb = SNPTCBVersion(report.reportedTCB, product: product)
    func two(_ value: UInt8) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let levels =
      "blSPL=\(two(tcb.bootloader))&teeSPL=\(two(tcb.tee))&snpSPL=\(two(tcb.snp))"
      + "&ucodeSPL=\(two(tcb.microcode))"
    let chip = Hex.encode(report.chipID.prefix(product == .turin ? 8 : 64))
    let base = "http://kds/vcek/v1/\(product.name)"
    let query = product == .turin ? "fmcSPL=\(two(tcb.fmc))&\(levels)" : levels
    let chain = [vendor.ask, vendor.ark].map { PEM.encode($0, label: "CERTIFICATE") }.joined()
    let shelf = Shelf(answers: [
      "\(base)/\(chip)?\(query)": CollateralResponse(body: vendor.vcek),
      "\(base)/cert_chain": CollateralResponse(body: Array(chain.utf8)),
      "\(base)/crl": CollateralResponse(body: vendor.revocationList),
    ])
    let evidence = Evidence(kind: .snp, document: document)
    let bundle = try sources.collect(for: evidence, through: shelf)
    #expect(bundle.files[.vcek] == vendor.vcek)
    #expect(bundle.files[.ask] == vendor.ask)
    #expect(bundle.files[.ark] == vendor.ark)
    #expect(try Self.decision(evidence, bundle, root: vendor.ark).trusted)
    var less = bundle
    less.files[.revocationList] = nil
    #expect(try !Self.decision(evidence, less, root: vendor.ark).trusted)
    // What comes with the report is not asked for.
    var without = shelf
    without.answers["\(base)/\(chip)?\(query)"] = nil
    let table = Evidence(
      kind: .snp, document: document, certificateTable: vendor.certificateTable)
    #expect(try sources.collect(for: table, through: without) == bundle)
    #expect(code { _ = try sources.collect(for: evidence, through: without) } == .inputOutput)
  }

  @Test func reportsThatNameNoChipOrNoProductAreRefused() throws {
    var report = SNPReport(version: 3)
    report.cpuid = (0x19, 0x11, 0)
    let shelf = Shelf(answers: [:])
    let masked = Evidence(kind: .snp, document: report.encoded())
    #expect(code { _ = try sources.collect(for: masked, through: shelf) } == .malformed)
    report.chipID = [UInt8](repeating: 1, count: 64)
    report.flags = 1 << 2
    let loaded = Evidence(kind: .snp, document: report.encoded())
    #expect(code { _ = try sources.collect(for: loaded, through: shelf) } == .malformed)
    report.version = 2
    let old = Evidence(kind: .snp, document: report.encoded())
    #expect(code { _ = try sources.collect(for: old, through: shelf) } == .malformed)
    let none = Evidence(kind: .tdx, document: [4, 0, 2, 0])
    #expect(code { _ = try sources.collect(for: none, through: shelf) } == .malformed)
  }

  @Test func vendorsOwnAddresses() throws {
    let intel = IntelCertificationService.intel
    #expect(
      intel.tcbInfo(.tdx, fmspc: [0, 0x90, 0x6e, 0xd5, 0, 0]).address
        == "https://api.trustedservices.intel.com/tdx/certification/v4/tcb?fmspc=00906ed50000")
    #expect(
      intel.qeIdentity(.sgx).address
        == "https://api.trustedservices.intel.com/sgx/certification/v4/qe/identity")
    #expect(
      intel.rootRevocationList().address
        == "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der")
    #expect(
      AMDKeyDistributionService.amd.revocationList(.genoa, .vlek).address
        == "https://kdsintf.amd.com/vlek/v1/Genoa/crl")
  }
}
