import ArcaBytes
import TEEEvidence

extension SimulatedIntel {
  /// How long simulated documents and lists are valid, in seconds: thirty days, as Intel's.
  static let validitySeconds: Int64 = 2_592_000

  /// Everything that a verifier needs for quotes of `tee`, issued at `time`.
  public func endorsements(
    for tee: QuoteHeader.TEE, at time: VerificationTime
  ) throws(AttestationError) -> IntelEndorsements {
    let platform = SimulatedIntelPlatform()
    let info = SimulatedIntel.tcbInfo(for: tee, at: time, platform: platform)
    let identity = SimulatedIntel.qeIdentity(for: tee, at: time, platform: platform)
    return IntelEndorsements(
      tcbInfo: try signed("tcbInfo", info.json), tcbInfoChain: tcbSigningChain,
      qeIdentity: try signed("enclaveIdentity", identity.json), qeIdentityChain: tcbSigningChain,
      rootRevocationList: try revocationList(of: .root, at: time),
      pckRevocationList: try revocationList(of: .pckAuthority, at: time))
  }

  /// TCB info in which `platform` is up to date, as a start for tests that make one thing wrong.
  package static func tcbInfo(
    for tee: QuoteHeader.TEE, at time: VerificationTime,
    platform: SimulatedIntelPlatform = .init()
  ) -> SimulatedIntelTCBInfo {
    func level(_ lower: UInt8, _ status: TCBStatus, _ advisories: [String]) -> SimulatedIntelLevel {
      func lowered(_ versions: [UInt8]) -> [UInt8] { versions.map { $0 - min($0, lower) } }
      return SimulatedIntelLevel(
        platform: (
          lowered(platform.components), lowered(platform.teeTCBSVN),
          platform.pceSVN - min(platform.pceSVN, UInt16(lower))
        ),
        status: status.rawValue, advisories: advisories)
    }
    let minor = UInt16(platform.teeTCBSVN[0])
    return SimulatedIntelTCBInfo(
      id: tee == .sgx ? "SGX" : "TDX", issueDate: time.text, nextUpdate: nextUpdate(time).text,
      fmspc: Hex.encode(platform.fmspc).uppercased(), pceID: Hex.encode(platform.pceID),
      levels: [
        level(0, .upToDate, []), level(1, .outOfDate, ["INTEL-SA-00001"]),
        level(2, .revoked, ["INTEL-SA-00002"]),
      ],
      modules: [
        SimulatedIntelModule(
          id: "TDX_01",
          levels: moduleAndEnclaveLevels(minor))
      ])
  }

  /// An identity in which the platform's quoting enclave is up to date.
  package static func qeIdentity(
    for tee: QuoteHeader.TEE, at time: VerificationTime,
    platform: SimulatedIntelPlatform = .init()
  ) -> SimulatedIntelQEIdentity {
    SimulatedIntelQEIdentity(
      id: tee == .sgx ? "QE" : "TD_QE", issueDate: time.text, nextUpdate: nextUpdate(time).text,
      mrSigner: platform.qeSigner, isvProductID: SimulatedIntelPlatform.qeProductID(tee),
      levels: moduleAndEnclaveLevels(platform.qeSVN))
  }

  /// The document that signs the exact bytes of `object` under `member`.
  package func signed(_ member: String, _ object: String) throws(AttestationError) -> [UInt8] {
    let signature = try signature(of: .tcbSigning, over: Array(object.utf8))
    return Array("{\"\(member)\":\(object),\"signature\":\"\(Hex.encode(signature))\"}".utf8)
  }

  /// The revocation list of `issuer` (root or PCK authority), DER, naming the certificates of
  /// `revoked`; `changing` may alter it before it is signed.
  package func revocationList(
    of issuer: Role, at time: VerificationTime, revoked: [Role] = [],
    changing: (inout SimulatedRevocationList) -> Void = { _ in }
  ) throws(AttestationError) -> [UInt8] {
    var list = SimulatedRevocationList(
      issuer: Array(try X509Certificate(der: certificate(issuer)).subject), thisUpdate: time,
      nextUpdate: SimulatedIntel.nextUpdate(time), serialNumbers: revoked.map(\.serialNumber))
    changing(&list)
    return try list.signed(by: .intel(try key(issuer)))
  }

  private static func nextUpdate(_ time: VerificationTime) -> VerificationTime {
    VerificationTime(unixSeconds: time.unixSeconds + validitySeconds)
  }

  private static func moduleAndEnclaveLevels(_ svn: UInt16) -> [SimulatedIntelLevel] {
    [
      SimulatedIntelLevel(isvSVN: svn, status: "UpToDate"),
      SimulatedIntelLevel(
        isvSVN: svn - min(svn, 2), status: "OutOfDate", advisories: ["INTEL-SA-00003"]),
      SimulatedIntelLevel(
        isvSVN: svn - min(svn, 4), status: "Revoked", advisories: ["INTEL-SA-00004"]),
    ]
  }
}
