import ArcaBytes
import ArcaKeyBroker
import Crypto
import Foundation
import TEEAttestation
import Testing

/// The policy language, rule by rule.
@Suite struct PolicyTests {
  static func code(_ yaml: String) -> KeyBrokerError.Code? {
    do {
      _ = try ReleasePolicy(yaml: yaml) { _ in nil }
      return nil
    } catch {
      return error.code
    }
  }

  /// Whether an attester with the fixture's values gets `default/app/key` under `policy`.
  static func outcome(
    _ policy: String, measurement: [UInt8] = BrokerFixture.measurement,
    workload: [UInt8] = BrokerFixture.workload, hasList: Bool = true
  ) async throws -> KeyBrokerError.Code? {
    let fixture = try await BrokerFixture(policy: policy)
    try await fixture.broker.setResource("default/app/key", to: Data("x".utf8), by: "test")
    let challenge = try await fixture.broker.challenge(BrokerFixture.request())
    _ = try await fixture.broker.attest(
      try fixture.attestation(
        nonce: challenge.session.nonce, measurement: measurement, workload: workload,
        hasList: hasList), session: challenge.session.id)
    return await refusal {
      _ = try await fixture.broker.resource(
        "default/app/key", session: challenge.session.id, token: nil)
    }
  }

  @Test func aChangedMeasurementIsRefused() async throws {
    var other = BrokerFixture.measurement
    other[47] ^= 1
    #expect(try await Self.outcome(BrokerFixture.policy()) == nil)
    #expect(try await Self.outcome(BrokerFixture.policy(), measurement: other) == .policyDenied)
    #expect(
      try await Self.outcome(BrokerFixture.policy(platforms: "any"), measurement: other) == nil)
  }

  @Test func aChangedWorkloadIsRefused() async throws {
    var other = BrokerFixture.workload
    other[0] ^= 1
    #expect(try await Self.outcome(BrokerFixture.policy(), workload: other) == .policyDenied)
    #expect(try await Self.outcome(BrokerFixture.policy(workloads: "any"), workload: other) == nil)
  }

  @Test func theRuleMustAllowSimulationToo() async throws {
    #expect(
      try await Self.outcome(BrokerFixture.policy(extra: "statuses: [UpToDate]")) == .policyDenied)
  }

  @Test func anotherKindOfTEEIsRefused() async throws {
    #expect(try await Self.outcome(BrokerFixture.policy(tees: "[tdx, sgx]")) == .policyDenied)
  }

  @Test func theTCBMustBeHighEnough() async throws {
    let simulated = "dangerouslyAcceptSimulatedEvidence: true\n    "
    for (version, expected) in [(10, nil), (11, .policyDenied)] as [(Int, KeyBrokerError.Code?)] {
      let policy = BrokerFixture.policy(extra: simulated + "minimumTCB: {bootloader: \(version)}")
      #expect(try await Self.outcome(policy) == expected)
    }
    let unknown = BrokerFixture.policy(extra: simulated + "minimumTCB: {nothing: 0}")
    #expect(try await Self.outcome(unknown) == .policyDenied)
  }

  @Test func aRevocationListIsNeededUnlessTheRuleSaysOtherwise() async throws {
    let simulated = "dangerouslyAcceptSimulatedEvidence: true\n    "
    #expect(try await Self.outcome(BrokerFixture.policy(), hasList: false) == .policyDenied)
    let lax = BrokerFixture.policy(
      extra: simulated + "dangerouslyAcceptMissingRevocationLists: true")
    #expect(try await Self.outcome(lax, hasList: false) == nil)
  }

  @Test func signersAreCompared() async throws {
    let simulated = "dangerouslyAcceptSimulatedEvidence: true\n    "
    let none = String(repeating: "00", count: 48)
    let other = String(repeating: "01", count: 48)
    let base = BrokerFixture.policy
    #expect(
      try await Self.outcome(
        base(
          "[{measurement: \(Hex.encode(BrokerFixture.measurement))}]", "any", "[snp]",
          simulated + "signers: [\(none)]")) == nil)
    #expect(
      try await Self.outcome(
        base("any", "any", "[snp]", simulated + "signers: [\(other)]")) == .policyDenied)
  }

  @Test func whatNoRuleNamesIsReleasedToNobody() async throws {
    #expect(try await Self.outcome("version: 1\nrules: []") == .noRule)
  }

  @Test func aBrokenPolicyReleasesNothing() async throws {
    let fixture = try await BrokerFixture()
    try await fixture.broker.setResource("default/app/key", to: Data("x".utf8), by: "test")
    let (session, _) = try await fixture.attested()
    try await fixture.store.install(
      policy: Array(#"{"yaml":"rules: 5","referenceValues":{}}"#.utf8),
      audit: AuditEvent(.policy, at: 1, []))
    #expect(
      await refusal {
        _ = try await fixture.broker.resource("default/app/key", session: session, token: nil)
      } == .invalidPolicy)
  }

  @Test func aReleasesReferenceValuesGoByName() throws {
    let file = """
      {"version":1,"release":"r","inputs":{},"commandLine":"","values":[
       {"tee":"snp","vcpus":1,"digests":{"measurement":"\(String(repeating: "ab", count: 48))"}},
       {"tee":"sev-es","digests":{"measurement":"\(String(repeating: "56", count: 32))",
        "workload":"\(String(repeating: "78", count: 32))"}},
       {"tee":"tdx","digests":{"mrtd":"\(String(repeating: "cd", count: 48))",
        "rtmr1":"\(String(repeating: "ef", count: 48))"}},
       {"tee":"sgx","digests":{"mrenclave":"\(String(repeating: "12", count: 32))",
        "workload":"\(String(repeating: "34", count: 32))"}}]}
      """
    let yaml = """
      version: 1
      referenceValues: {arca-1: ref.json}
      rules:
        - name: a
          resources: [a/b/c]
          tees: [snp, tdx, sev-es, sev]
          platforms: [{release: arca-1}]
          workloads: any
      """
    let policy = try ReleasePolicy(yaml: yaml) { $0 == "ref.json" ? Array(file.utf8) : nil }
    guard case .oneOf(let platforms) = policy.rules[0].platforms else {
      Issue.record("expected listed platforms")
      return
    }
    #expect(platforms.map(\.measurement[0]) == [0xAB, 0x56, 0xCD, 0x12])
    #expect(platforms.map { $0.workload?[0] } == [nil, 0x78, nil, 0x34])
    #expect(platforms[2].runtimeRegisters.count == 4)
    #expect(platforms[2].runtimeRegisters[0] == .any)
    #expect(platforms[2].runtimeRegisters[1] == .oneOf([[UInt8](repeating: 0xEF, count: 48)]))
    #expect(Self.code(yaml) == .invalidPolicy)
  }

  @Test func aReleaseKeysReferenceValuesAreSignedByIt() throws {
    let values = Array(#"{"version":1,"values":[]}"#.utf8)
    let (key, other) = (P256.Signing.PrivateKey(), P256.Signing.PrivateKey())
    let signed = try key.signature(for: values).derRepresentation
    let good = [
      "r.json": values, "r.json.sig": Array(signed), "k.pem": Self.pem(key.publicKey),
    ]
    let yaml = "version: 1\nreleaseKey: k.pem\nreferenceValues: {r: r.json}\nrules: []"
    let stored = try StoredPolicy(yaml: yaml) { good[$0] }
    #expect(try ReleasePolicy(stored: stored).rules.isEmpty)
    let changes: [(String, [UInt8]?)] = [
      ("r.json", values + [0x20]), ("r.json.sig", nil), ("r.json.sig", [0x30, 0]),
      ("r.json.sig", Array(try other.signature(for: values).derRepresentation)),
      ("k.pem", Self.pem(other.publicKey)), ("k.pem", nil), ("k.pem", values),
    ]
    for (name, content) in changes {
      let files = good.merging([name: content ?? []]) { $1 }.filter {
        $0.key != name || content != nil
      }
      #expect {
        try StoredPolicy(yaml: yaml) { files[$0] }
      } throws: { ($0 as? KeyBrokerError)?.code == .invalidPolicy }
    }
  }

  private static func pem(_ key: P256.Signing.PublicKey) -> [UInt8] {
    Array(key.pemRepresentation.utf8)
  }

  @Test(arguments: [
    "", "version: 2\nrules: []", "version: 1", "version: 1\nrules: []\nother: 1",
    "version: 1\nrules:\n  - name: a\n    resources: [a/b/c]\n    tees: [snp]\n    platforms: any",
    "version: 1\nrules:\n  - name: a\n    resources: [a/b]\n    tees: [snp]\n    platforms: any\n"
      + "    workloads: any",
    "version: 1\nrules:\n  - name: a\n    resources: [a/b/c]\n    tees: [sample]\n"
      + "    platforms: any\n    workloads: any",
    "version: 1\nrules:\n  - name: a\n    resources: [a/b/c]\n    tees: [snp]\n"
      + "    platforms: all\n    workloads: any",
    "version: 1\nrules:\n  - name: a\n    resources: [a/b/c]\n    tees: [snp]\n"
      + "    platforms: any\n    workloads: [abcd]",
    "version: 1\nrules:\n  - name: a\n    resources: [a/b/c]\n    tees: [snp]\n"
      + "    platforms: any\n    workloads: any\n    statuses: [Revoked]",
  ])
  func whatLeavesSomethingOutIsNoPolicy(yaml: String) {
    #expect(Self.code(yaml) == .invalidPolicy)
  }

  @Test(arguments: [
    ("a/b/c", "a/b/c", true), ("a/b/*", "a/b/c", true), ("a/b/c*", "a/b/cd", true),
    ("*/*/*", "x/y/z", true), ("a/b/c", "a/b/cd", false), ("a/b/c*", "a/b/d", false),
    ("a/*/c", "a/b/d", false),
  ])
  func patternsNamePaths(pattern: String, path: String, names: Bool) throws {
    #expect(try ResourcePattern(pattern).names(ResourcePath(path)) == names)
  }

  @Test(arguments: [
    "", "a/b", "a/b/c/d", "a//c", "a/../c", "a/b/.c", "a/b/c%2f", "a/b/c d", "a/*/c",
  ])
  func onlyPlainNamesArePaths(path: String) {
    #expect(throws: KeyBrokerError.self) { try ResourcePath(path) }
  }

  @Test func sampleEvidenceNeedsBothPermissions() async throws {
    let lax = BrokerFixture.policy(platforms: "any", workloads: "any", tees: "[sample]")
    for (policy, expected) in [(lax, nil), (BrokerFixture.policy(), .policyDenied)]
      as [(String, KeyBrokerError.Code?)]
    {
      let fixture = try await BrokerFixture(policy: policy)
      try await fixture.broker.setResource("default/app/key", to: Data("x".utf8), by: "test")
      let challenge = try await fixture.broker.challenge(BrokerFixture.request("sample"))
      let nonce = challenge.session.nonce
      let digest = KBSAttestation.reportData(nonce: nonce, key: try TEEPublicKey(fixture.jwk))
      let body = StrictJSON.members(
        ("runtime-data", .members(("nonce", .string(nonce)), ("tee-pubkey", fixture.jwk))),
        (
          "tee-evidence",
          .members(
            (
              "primary_evidence",
              .members(
                ("svn", .string("1")),
                ("report_data", .string(Base64.encode(digest, .standard))))
            ), ("additional_evidence", .string("")))
        ))
      _ = try await fixture.broker.attest(
        Array(body.compact.utf8), session: challenge.session.id)
      #expect(
        await refusal {
          _ = try await fixture.broker.resource(
            "default/app/key", session: challenge.session.id, token: nil)
        } == expected)
    }
  }
}
