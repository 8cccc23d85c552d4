import ArcaBytes
import ArcaKeyBroker
import ArcaKeyBrokerSQLite
import Crypto
import Foundation
import Synchronization
import TEEAttestation
import TEEEvidence

/// A clock that tests move.
final class TestClock: Sendable {
  private let seconds = Mutex<Int64>(1_790_000_000)
  var now: Int64 { seconds.withLock { $0 } }
  func advance(_ by: Int64) { seconds.withLock { $0 += by } }
}

/// The endorsements that a test gives, whatever the evidence.
struct GivenEndorsements: EndorsementSource {
  var given = Endorsements()
  func endorsements(for evidence: Evidence) async -> Endorsements { given }
  func refresh() async {}
}

/// A simulated vendor, made once, since it looks for RSA primes.
enum TestVendor {
  static let amd: SimulatedAMD? = try? SimulatedAMD.create(
    at: VerificationTime(unixSeconds: 1_780_000_000))
}

enum FixtureError: Error { case noVendor, noEtcd, noToken }

/// A broker in a folder of its own, and an attester.
final class BrokerFixture: Sendable {
  static let measurement = [UInt8](repeating: 0x5A, count: 48)
  static let workload = [UInt8](repeating: 0xC3, count: 32)

  let folder: String
  let clock = TestClock()
  let store: SQLiteStore
  let broker: KeyBroker
  let amd: SimulatedAMD
  let key = P256.KeyAgreement.PrivateKey()

  /// A policy with one rule for `default/app/*`.
  static func policy(
    platforms: String = "[{measurement: \(Hex.encode(measurement))}]",
    workloads: String = "[\(Hex.encode(workload))]", tees: String = "[snp]",
    extra: String = "dangerouslyAcceptSimulatedEvidence: true"
  ) -> String {
    """
    version: 1
    rules:
      - name: app
        resources: [default/app/*]
        tees: \(tees)
        platforms: \(platforms)
        workloads: \(workloads)
        \(extra)
    """
  }

  init(
    policy: String = BrokerFixture.policy(), simulation: Bool = true,
    limits: KeyBroker.Limits = .init(), roots: [[UInt8]] = [],
    endorsements: Endorsements = Endorsements()
  ) async throws {
    guard let amd = TestVendor.amd else { throw FixtureError.noVendor }
    self.amd = amd
    folder = NSTemporaryDirectory() + "/arca-kbs-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: folder + "/keys", withIntermediateDirectories: true)
    try MasterKeyFiles.make(in: folder + "/keys")
    store = try SQLiteStore(path: folder + "/broker.db")
    let clock = clock
    broker = KeyBroker(
      store: store, keys: MasterKeys(try MasterKeyFiles(folder: folder + "/keys")),
      judge: try EvidenceJudge(
        dangerouslyAcceptingSimulatedEvidence: simulation,
        simulatedRoots: simulation ? [amd.ark] + roots : []),
      tokens: try TokenIssuer(
        issuer: "test", pem: P256.Signing.PrivateKey().pemRepresentation),
      endorsements: GivenEndorsements(given: endorsements), limits: limits, clock: { clock.now })
    try await broker.installPolicy(StoredPolicy(yaml: policy) { _ in nil }, by: "test")
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  var jwk: StrictJSON { Self.jwk(key.publicKey) }

  static func jwk(_ key: P256.KeyAgreement.PublicKey) -> StrictJSON {
    let point = Array(key.rawRepresentation)
    return .members(
      ("kty", .string("EC")), ("crv", .string("P-256")), ("alg", .string("ECDH-ES+A256KW")),
      ("x", .string(Base64.encode(point[..<32], .url))),
      ("y", .string(Base64.encode(point[32...], .url))))
  }

  static func request(_ tee: String = "snp", version: String = "0.4.0") -> [UInt8] {
    Array(#"{"version":"\#(version)","tee":"\#(tee)","extra-params":""}"#.utf8)
  }

  /// An attestation with evidence that binds `boundNonce` and `boundKey`, which are `nonce` and
  /// `jwk` unless something is to be wrong.
  func attestation(
    nonce: String, jwk: StrictJSON? = nil, boundNonce: String? = nil, boundKey: StrictJSON? = nil,
    measurement: [UInt8] = measurement, workload: [UInt8] = workload,
    policy: SNPPolicy = SNPPolicy(rawValue: 0x30000), vmpl: UInt32 = 0, hasList: Bool = true,
    initData: StrictJSON = .null
  ) throws -> [UInt8] {
    let jwk = jwk ?? self.jwk
    let digest = KBSAttestation.reportData(
      nonce: boundNonce ?? nonce, key: try TEEPublicKey(boundKey ?? jwk))
    let report = try SNPReport(
      amd.device().report(
        reportData: digest, hostData: workload, measurement: measurement, policy: policy,
        vmpl: vmpl))
    return Self.message(
      nonce: nonce, jwk: jwk, report: try report.kbsJSON, chain: chain(hasList: hasList),
      initData: initData)
  }

  func chain(hasList: Bool) -> StrictJSON {
    func entry(_ type: String, _ data: [UInt8]) -> StrictJSON {
      .members(
        ("cert_type", .string(type)), ("data", .array(data.map { .number(UInt64($0)) })))
    }
    return .array(
      [entry("VCEK", amd.vcek), entry("ASK", amd.ask), entry("ARK", amd.ark)]
        + (hasList ? [entry("CRL", amd.revocationList)] : []))
  }

  static func message(
    nonce: String, jwk: StrictJSON, report: StrictJSON, chain: StrictJSON,
    initData: StrictJSON = .null
  ) -> [UInt8] {
    Array(
      StrictJSON.members(
        ("init-data", initData),
        ("runtime-data", .members(("nonce", .string(nonce)), ("tee-pubkey", jwk))),
        (
          "tee-evidence",
          .members(
            ("primary_evidence", .members(("attestation_report", report), ("cert_chain", chain))),
            ("additional_evidence", .string("")))
        )
      ).compact.utf8)
  }

  /// The session of an attester that was attested with the fixture's own values.
  func attested() async throws -> (session: String, token: String) {
    let challenge = try await broker.challenge(Self.request())
    let answer = try await broker.attest(
      try attestation(nonce: challenge.session.nonce), session: challenge.session.id)
    return (answer.session.id, answer.token)
  }

  /// The audit log as text.
  func audit() async throws -> [String] {
    try await store.auditEntries(from: 1, limit: 10_000).map(\.text)
  }
}

/// The code of the error that `body` throws, or nil.
func refusal(_ body: () async throws -> Void) async -> KeyBrokerError.Code? {
  do {
    try await body()
    return nil
  } catch {
    return (error as? KeyBrokerError)?.code
  }
}
