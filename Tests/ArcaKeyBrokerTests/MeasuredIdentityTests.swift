import ArcaKeyBroker
import Testing

/// Rules made of what `arca measure --json` prints.
@Suite struct MeasuredIdentityTests {
  private static let workload = String(repeating: "ab", count: 32)
  private static let register = String(repeating: "cd", count: 48)

  private static func identity(_ tee: String, _ measurement: String) throws -> MeasuredIdentity {
    try MeasuredIdentity(
      json: Array(
        """
        {"tee":"\(tee)","simulated":true,"vcpus":1,"platformMeasurement":"\(measurement)",
         "workloadDigest":"\(workload)"}
        """.utf8))
  }

  private static func extended(_ yaml: String, _ identity: MeasuredIdentity) throws -> ReleasePolicy
  {
    let policy = try StoredPolicy(yaml: yaml) { _ in nil }
    let longer = try policy.allowing(
      [ResourcePattern("a/b/*"), ResourcePattern("*/*/c")], to: identity, as: "new-1")
    return try ReleasePolicy(stored: longer)
  }

  @Test(arguments: [
    ("sim-snp", register, AttesterKind.snp, true),
    ("snp", register, .snp, false),
    ("sim-tdx", "\(register),any,\(register),\(register),any", .tdx, true),
    ("sgx", "\(workload):\(workload)", .sgx, false),
    ("sev-es", workload, .sevES, false), ("sev", workload, .sev, false),
  ])
  func aRuleNamesTheIdentityAlone(
    tee: String, measurement: String, kind: AttesterKind, isSimulated: Bool
  ) throws {
    let identity = try Self.identity(tee, measurement)
    #expect(identity.isSimulated == isSimulated)
    let rule = try #require(Self.extended("version: 1\nrules: []\n", identity).rules.last)
    #expect(rule.name == "new-1")
    #expect(rule.resources.map(\.text) == ["a/b/*", "*/*/c"])
    #expect(rule.tees == [kind])
    #expect(rule.workloads == .oneOf([[UInt8](repeating: 0xAB, count: 32)]))
    #expect(rule.dangerouslyAcceptSimulatedEvidence == isSimulated)
    guard case .oneOf(let platforms) = rule.platforms, let platform = platforms.first else {
      Issue.record("expected one platform")
      return
    }
    #expect(platforms.count == 1)
    #expect(platform.runtimeRegisters.count == (kind == .tdx ? 4 : 0))
    #expect(platform.runtimeRegisters.first == (kind == .tdx ? .any : nil))
    #expect((platform.workload != nil) == [.sgx, .sevES, .sev].contains(kind))
  }

  @Test(arguments: ["", "    ", "  # why\n\n"])
  func whatIsThereStays(indentation: String) throws {
    let yaml = """
      # the owner's
      version: 1
      rules:
      \(indentation)- {name: old, resources: [x/y/z], tees: [snp], platforms: any, workloads: any}
      """
    let policy = try Self.extended(yaml, Self.identity("snp", Self.register))
    #expect(policy.rules.map(\.name) == ["old", "new-1"])
  }

  @Test(arguments: [
    "rules: []\nversion: 1",
    "version: 1\nrules: [{name: a, resources: [a/b/c], tees: [snp], platforms: any, "
      + "workloads: any}]",
    "version: 1\nrules:\n- {name: new-1, resources: [a/b/c], tees: [snp], platforms: any, "
      + "workloads: any}",
  ])
  func whatCannotBeExtendedIsRefused(yaml: String) throws {
    #expect {
      try Self.extended(yaml, Self.identity("snp", Self.register))
    } throws: { ($0 as? KeyBrokerError)?.code == .invalidPolicy }
  }

  @Test(arguments: [
    ("nonsense", register), ("sample", "not hexadecimal"), ("snp", "any]}, {"), ("snp", ""),
  ])
  func whatIsNoIdentityIsRefused(tee: String, measurement: String) {
    #expect {
      try Self.extended("version: 1\nrules: []", Self.identity(tee, measurement))
    } throws: { ($0 as? KeyBrokerError)?.code == .invalidPolicy }
  }
}
