import TEEAttestation
import TEEEvidence
import Testing

@Suite struct AppraisalTests {
  static let document = """
    {
      "identifier": "production", "tee": ["snp", "tdx"], "workload": ["b2b2"],
      "platform": ["a1a1", {"measurement": "0102", "runtime_registers": [["03"], "any"]}],
      "report_data": "any", "signer": "any", "vmpl": [0], "chip_id": "any", "migratable": [false],
      "minimum_tcb": {"snp": 24, "microcode": 1}, "accepted_statuses": ["UpToDate", "OutOfDate"],
      "advisories": ["INTEL-SA-00615"], "dangerously_accept_debug": false,
      "dangerously_accept_simulated_evidence": true,
      "dangerously_accept_missing_revocation_lists": false
    }
    """

  static func members() throws -> [String: JSONValue] {
    guard case .object(let members) = try JSONValue(json: Array(document.utf8)) else { return [:] }
    return members
  }

  @Test func `a policy is read as written`() throws {
    let policy = try AppraisalPolicy(.object(Self.members()))
    #expect(
      policy
        == AppraisalPolicy(
          identifier: "production", tee: .oneOf([.snp, .tdx]),
          platform: .oneOf([
            PlatformMeasurement([0xA1, 0xA1]),
            PlatformMeasurement([1, 2], runtimeRegisters: [.oneOf([[3]]), .any]),
          ]), workload: .oneOf([[0xB2, 0xB2]]), reportData: .any, signer: .any,
          vmpl: .oneOf([0]), chipID: .any, migratable: .oneOf([false]),
          minimumTCB: [.init("microcode", 1), .init("snp", 24)],
          acceptedStatuses: [.upToDate, .outOfDate], advisories: .oneOf(["INTEL-SA-00615"]),
          dangerouslyAcceptDebug: false, dangerouslyAcceptSimulatedEvidence: true,
          dangerouslyAcceptMissingRevocationLists: false))
  }

  @Test func `demands on single fields may be added`() throws {
    var members = try Self.members()
    members["fields"] = .object(["isv_prod_id": .array([.string("1"), .string("2")])])
    let policy = try AppraisalPolicy(.object(members))
    #expect(policy.fields == [FieldDemand("isv_prod_id", oneOf: ["1", "2"])])
  }

  @Test func `nothing may be left out`() throws {
    let members = try Self.members()
    #expect(members.count == 15)
    for name in members.keys {
      var lacking = members
      lacking[name] = nil
      let error = #expect(throws: AttestationError.self) {
        try AppraisalPolicy(.object(lacking))
      }
      #expect(error?.code == .invalidPolicy)
    }
  }

  @Test(arguments: [
    ("tee", JSONValue.array([.string("sev-snp")])), ("tee", .string("snp")),
    ("workload", .array([.string("b2b")])), ("workload", .array([.string("")])),
    ("vmpl", .array([.number(-1)])), ("migratable", .bool(false)), ("identifier", .null),
    ("minimum_tcb", .object(["snp": .number(1 << 32)])), ("minimum_tcb", .string("any")),
    ("accepted_statuses", .array([.string("Fine")])), ("accepted_statuses", .string("any")),
    ("platform", .array([.object(["measurement": .string("00")])])),
    ("dangerously_accept_debug", .string("false")), ("unknown", .null),
    ("fields", .array([])), ("fields", .object(["vmpl": .array([.number(0)])])),
  ])
  func `a wrong value is refused`(_ name: String, _ value: JSONValue) throws {
    var members = try Self.members()
    members[name] = value
    let error = #expect(throws: AttestationError.self) { try AppraisalPolicy(.object(members)) }
    #expect(error?.code == .invalidPolicy)
  }

  @Test func `text names the decision, each reason and each claim`() throws {
    var wrong = try SimulatedCase()
    wrong.report.measurement[0] = 0xFF
    let text = try wrong.verdict().text
    #expect(text.hasPrefix("NOT TRUSTED: mismatch, at 2025-06-15T15:23:20Z"))
    #expect(text.contains("failed: policy.platform: expected a1a1"))
    #expect(text.contains("simulated: no hardware"))
    #expect(text.contains("  host_data: b2b2"))
    #expect(try SimulatedCase().verdict().text.hasPrefix("trusted: valid"))
  }

  @Test func `JSON has every check and every claim`() throws {
    let verdict = try SimulatedCase().verdict()
    let json = try JSONValue(json: Array(verdict.json.json.utf8))
    guard case .object(let members) = json, case .array(let checks) = members["checks"],
      case .object(let claims) = members["claims"]
    else {
      Issue.record("not an object with checks and claims")
      return
    }
    #expect(members["trusted"] == .bool(true))
    #expect(members["simulated"] == .bool(true))
    #expect(checks.count == verdict.checks.count)
    #expect(claims["vmpl"] == .number(0))
    #expect(claims.count == (verdict.claims?.fields.count ?? 0) + 2)
  }

  @Test func `EAR claims carry status and vector`() throws {
    func status(_ verdict: Verdict) -> JSONValue? {
      let ear = verdict.ear(
        issuedAt: verdict.time, developer: "arca", build: "1", policyID: "test")
      guard case .object(let members) = ear, case .object(let modules) = members["submods"],
        case .object(let module) = modules["snp"]
      else { return nil }
      #expect(members["iat"] == .number(verdict.time.unixSeconds))
      return module["ear.status"]
    }
    var changed = try SimulatedCase()
    #expect(try status(changed.verdict()) == .string("warning"))
    changed.list = nil
    #expect(try status(changed.verdict()) == .string("none"))
    changed.report.policy = SNPPolicy(rawValue: 0xB0000)
    #expect(try status(changed.verdict()) == .string("contraindicated"))
  }

  @Test func `the vector follows what was checked`() throws {
    var changed = try SimulatedCase()
    let sound = TrustworthinessVector(try changed.verdict())
    #expect(sound.claims.map(\.value) == [2, 2, 2, 2, 32, 32])
    changed.policy.workload = .any
    #expect(TrustworthinessVector(try changed.verdict()).executables == 3)
    #expect(TrustworthinessVector(try changed.verdict()).fileSystem == 0)
    changed.afterSigning = { $0[0x90] ^= 1 }
    #expect(
      TrustworthinessVector(try changed.verdict()).claims.map(\.value) == [99, 0, 0, 0, 99, 0])
  }
}
