import TEEAttestation
import TEEEvidence
import Testing

/// A quote of a simulated platform with all that vouches for it; a test makes one thing wrong.
struct QuoteScene: Sendable, CustomTestStringConvertible {
  typealias Role = SimulatedIntel.Role

  static let issued = VerificationTime(unixSeconds: 1_772_323_200)
  static let now = VerificationTime(unixSeconds: 1_772_409_600)
  static let later = VerificationTime(unixSeconds: 1_782_409_600)

  let tee: QuoteHeader.TEE
  let version: UInt16
  /// What the PCK certificate says.
  var platform = SimulatedIntelPlatform()
  var enclave = EnclaveReport()
  var td: TDReport
  var quoting: SimulatedIntelQuoting
  var info: SimulatedIntelTCBInfo
  var identity: SimulatedIntelQEIdentity
  var policy = AppraisalPolicy.vendorOnly
  var anchors: TrustAnchors?
  var time = now
  /// Changes a certificate before it is signed.
  var certificate: @Sendable (Role, inout SimulatedCertificate) -> Void = { _, _ in }
  /// Changes the quoting enclave once the vendor exists.
  var prepare: @Sendable (SimulatedIntel, inout SimulatedIntelQuoting) throws -> Void = { _, _ in }
  /// Changes the finished quote.
  var document: @Sendable (inout [UInt8]) -> Void = { _ in }
  /// Changes the finished endorsements.
  var endorsements: @Sendable (SimulatedIntel, inout IntelEndorsements) throws -> Void = { _, _ in }

  var testDescription: String { "\(tee) version \(version)" }

  static func sgx() -> QuoteScene { QuoteScene(.sgx, 3, is15: false) }
  static func tdx4() -> QuoteScene { QuoteScene(.tdx, 4, is15: false) }
  static func tdx5() -> QuoteScene { QuoteScene(.tdx, 5, is15: true) }

  private init(_ tee: QuoteHeader.TEE, _ version: UInt16, is15: Bool) {
    self.tee = tee
    self.version = version
    td = TDReport(is15: is15)
    td.teeTCBSVN = platform.teeTCBSVN
    if is15 { td.teeTCBSVN2 = platform.teeTCBSVN }
    td.tdAttributes[3] = 0x10
    td.mrTD = [UInt8](repeating: 0x4D, count: 48)
    td.reportData = [UInt8](repeating: 0x52, count: 64)
    enclave.mrEnclave = [UInt8](repeating: 0x4D, count: 32)
    enclave.attributes[0] = 0x05
    quoting = SimulatedIntelQuoting(for: tee)
    info = SimulatedIntel.tcbInfo(for: tee, at: Self.issued)
    identity = SimulatedIntel.qeIdentity(for: tee, at: Self.issued)
    policy.dangerouslyAcceptSimulatedEvidence = true
  }

  func vendor() throws -> SimulatedIntel {
    try SimulatedIntel(at: Self.issued, platform: platform, changing: certificate)
  }

  func quote(_ vendor: SimulatedIntel) throws -> [UInt8] {
    var quoting = quoting
    try prepare(vendor, &quoting)
    var quote = try vendor.quote(
      tee == .sgx ? .sgx(enclave) : .tdx(td), version: version, quoting: quoting)
    document(&quote)
    return quote
  }

  func endorsed(_ vendor: SimulatedIntel) throws -> IntelEndorsements {
    var given = IntelEndorsements(
      tcbInfo: try vendor.signed("tcbInfo", info.json), tcbInfoChain: vendor.tcbSigningChain,
      qeIdentity: try vendor.signed("enclaveIdentity", identity.json),
      qeIdentityChain: vendor.tcbSigningChain,
      rootRevocationList: try vendor.revocationList(of: .root, at: Self.issued),
      pckRevocationList: try vendor.revocationList(of: .pckAuthority, at: Self.issued))
    try endorsements(vendor, &given)
    return given
  }

  func verdict() throws -> Verdict {
    let vendor = try vendor()
    let roots = try anchors ?? TrustAnchors(certificates: [vendor.root])
    let (document, given) = (try quote(vendor), try endorsed(vendor))
    return Verdict.alike { memory in
      Verifier(anchors: roots, memory: memory).verdict(
        on: Evidence(kind: tee == .sgx ? .sgx : .tdx, document: document),
        with: Endorsements(intel: given), under: policy, at: time)
    }
  }

  /// The PEM of `certificates`.
  static func pem(_ certificates: [[UInt8]]) -> [UInt8] {
    certificates.flatMap { Array(PEM.encode($0, label: "CERTIFICATE").utf8) }
  }

  /// `bytes` with one bit of its last byte changed.
  static func flipped(_ bytes: [UInt8]) -> [UInt8] {
    var changed = bytes
    changed[bytes.count - 1] ^= 1
    return changed
  }
}

/// A scene in which one thing is wrong, what the verdict must be and which checks must name it.
struct QuoteFault: CustomStringConvertible, Sendable {
  let description: String
  let kind: VerdictKind
  let reasons: [String]
  let tee: QuoteHeader.TEE
  let change: @Sendable (inout QuoteScene) -> Void

  /// A fault in a quote of `tee`: SGX version 3, or TDX version 5 with a 1.5 body.
  init(
    _ description: String, _ kind: VerdictKind, _ reasons: [String],
    tee: QuoteHeader.TEE = .tdx, _ change: @escaping @Sendable (inout QuoteScene) -> Void
  ) {
    self.description = description
    self.kind = kind
    self.reasons = reasons
    self.tee = tee
    self.change = change
  }

  /// The verdict fails by exactly the checks that the fault names.
  func expect() throws {
    var scene = tee == .sgx ? QuoteScene.sgx() : QuoteScene.tdx5()
    change(&scene)
    let verdict = try scene.verdict()
    #expect(verdict.kind == kind, "\(verdict.reasons)")
    #expect(verdict.reasons.map(\.name) == reasons, "\(verdict.reasons)")
    #expect(!verdict.isTrusted)
    for reason in verdict.reasons { #expect(reason.expected != reason.found) }
  }
}
