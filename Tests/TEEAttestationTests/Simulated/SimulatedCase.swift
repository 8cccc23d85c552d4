import Crypto
import CryptoExtras
import TEEAttestation
import TEEEvidence

/// Evidence under a simulated AMD root that verifies, until a test changes one thing.
struct SimulatedCase {
  /// Keys for the whole run: RSA primes take seconds to find.
  struct Keys: Sendable {
    let ark: _RSA.Signing.PrivateKey
    let ask: _RSA.Signing.PrivateKey
    let leaf = P384.Signing.PrivateKey()

    init() throws {
      ark = try _RSA.Signing.PrivateKey(keySize: .init(bitCount: 4096))
      ask = try _RSA.Signing.PrivateKey(keySize: .init(bitCount: 4096))
    }

    private static let made = Result { try Keys() }
    static func shared() throws -> Keys { try made.get() }
  }

  static let start = VerificationTime(unixSeconds: 1_750_000_000)
  static let measurement = [UInt8](repeating: 0xA1, count: 48)
  static let workload = [UInt8](repeating: 0xB2, count: 32)
  static let reportData = [UInt8](repeating: 0xC3, count: 64)

  let product: SNPProduct
  let device: SimulatedSNPDevice
  var report: SNPReport
  /// Changes the 672 bytes before they are signed.
  var beforeSigning: (inout [UInt8]) -> Void = { _ in }
  /// Changes the 1184 bytes after they are signed.
  var afterSigning: (inout [UInt8]) -> Void = { _ in }
  var ark: SimulatedCertificate
  var ask: SimulatedCertificate
  var leaf: SimulatedCertificate
  var list: SimulatedRevocationList?
  var rootSigner: SimulatedSigner
  var askSigner: SimulatedSigner
  var leafSigner: SimulatedSigner
  var listSigner: SimulatedSigner
  /// The root that the verifier trusts; nil for the one that the evidence brings.
  var anchor: [UInt8]?
  var policy: AppraisalPolicy
  var time = VerificationTime(unixSeconds: start.unixSeconds + 1_000)

  init(_ product: SNPProduct = .milan, version: UInt32 = 3, vlek: Bool = false) throws {
    let keys = try Keys.shared()
    let issuance = SimulatedIssuance(product: product, time: Self.start)
    let chip = [UInt8](repeating: 0xD4, count: product == .turin ? 8 : 64)
    self.product = product
    let vcek = issuance.vcek(keys.leaf.publicKey, hardwareID: chip)
    ark = issuance.ark(keys.ark)
    ask = issuance.ask(keys.ask, vlek: vlek)
    leaf = vlek ? issuance.vlek(keys.leaf.publicKey) : vcek
    list = issuance.list()
    rootSigner = .amd(keys.ark)
    askSigner = .amd(keys.ark)
    leafSigner = .amd(keys.ask)
    listSigner = .amd(keys.ark)
    device = try SimulatedSNPDevice(
      vcekPrivateKey: Array(keys.leaf.rawRepresentation), vcek: vcek.signed(by: .amd(keys.ask)))
    report = device.unsignedReport(
      reportData: Self.reportData, hostData: Self.workload, measurement: Self.measurement,
      version: version)
    report.flags = vlek ? 1 << 2 : 0
    if vlek { report.chipID = [] }
    policy = AppraisalPolicy(
      identifier: "test", tee: .oneOf([.snp]),
      platform: .oneOf([PlatformMeasurement(Self.measurement)]), workload: .oneOf([Self.workload]),
      reportData: .oneOf([Self.reportData]), signer: .oneOf([[UInt8](repeating: 0, count: 48)]),
      vmpl: .oneOf([0]),
      chipID: vlek ? .any : .oneOf([chip + [UInt8](repeating: 0, count: 64 - chip.count)]),
      migratable: .oneOf([false]), minimumTCB: [.init("snp", 24)], acceptedStatuses: [],
      advisories: .oneOf([]), dangerouslyAcceptDebug: false,
      dangerouslyAcceptSimulatedEvidence: true, dangerouslyAcceptMissingRevocationLists: false)
  }

  /// Evidence and endorsements in bytes.
  func encoded() throws -> (report: [UInt8], certificates: [[UInt8]], list: [UInt8]?) {
    var content = report.signedBytes()
    beforeSigning(&content)
    var document = try device.sign(content)
    afterSigning(&document)
    return (
      document,
      [
        try leaf.signed(by: leafSigner), try ask.signed(by: askSigner),
        try ark.signed(by: rootSigner),
      ], try list?.signed(by: listSigner)
    )
  }

  func verdict() throws -> Verdict {
    let bytes = try encoded()
    let anchors = try TrustAnchors(certificates: [anchor ?? bytes.certificates[2]])
    return Verdict.alike { memory in
      Verifier(anchors: anchors, memory: memory).verdict(
        on: Evidence(kind: .snp, document: bytes.report),
        with: Endorsements(
          amd: AMDEndorsements(certificates: bytes.certificates, revocationList: bytes.list)),
        under: policy, at: time)
    }
  }
}
