import TEEAttestation
import TEEEvidence
import Testing

@Suite struct TCBLevelTests {
  /// The platform's level one lower than the newest in one component.
  @Test(arguments: 0..<16) func `each SGX component counts`(_ index: Int) throws {
    guard SimulatedIntelPlatform().components[index] > 0 else { return }
    var scene = QuoteScene.sgx()
    scene.platform.components[index] -= 1
    let verdict = try scene.verdict()
    #expect(verdict.kind == .outOfDate, "\(verdict.reasons)")
    #expect(verdict.tcbStatus == .outOfDate)
    #expect(verdict.advisories == ["INTEL-SA-00001"])
    #expect(verdict.reasons.map(\.name) == ["policy.tcb_status"])
  }

  @Test func `the provisioning enclave's version counts`() throws {
    var scene = QuoteScene.sgx()
    scene.platform.pceSVN -= 1
    #expect(try scene.verdict().tcbStatus == .outOfDate)
  }

  @Test func `no level means unsupported`() throws {
    var scene = QuoteScene.sgx()
    scene.platform.components[7] = 0
    let verdict = try scene.verdict()
    #expect(verdict.kind == .tcbUnsupported)
    #expect(verdict.tcbStatus == nil)
    #expect(verdict.reasons.map(\.name) == ["platform.tcb_level"])
  }

  @Test func `TDX components count from the third where the module has a major version`() throws {
    var scene = QuoteScene.tdx4()
    scene.td.teeTCBSVN[2] -= 1
    #expect(try scene.verdict().tcbStatus == .outOfDate)
    // The first two are the module's, which its own identity judges.
    scene = QuoteScene.tdx4()
    scene.info.levels[0].platform?.tdx[0] = 200
    scene.info.levels[0].platform?.tdx[1] = 200
    #expect(try scene.verdict().tcbStatus == .upToDate)
  }

  @Test func `TDX components count from the first where it has none`() throws {
    var scene = QuoteScene.tdx4()
    scene.td.teeTCBSVN[1] = 0
    for index in scene.info.levels.indices { scene.info.levels[index].platform?.tdx[1] = 0 }
    #expect(try scene.verdict().kind == .valid)
    scene.td.teeTCBSVN[0] -= 1
    #expect(try scene.verdict().tcbStatus == .outOfDate)
    scene.td.mrSignerSEAM[0] = 1
    #expect(try scene.verdict().reasons.map(\.name).contains("tdx_module.mrsignerseam"))
  }

  static let convergence: [(TCBStatus, TCBStatus, TCBStatus)] = [
    (.upToDate, .upToDate, .upToDate), (.upToDate, .outOfDate, .outOfDate),
    (.swHardeningNeeded, .upToDate, .swHardeningNeeded),
    (.swHardeningNeeded, .outOfDate, .outOfDate),
    (.configurationNeeded, .upToDate, .configurationNeeded),
    (.configurationNeeded, .outOfDate, .outOfDateConfigurationNeeded),
    (.configurationAndSWHardeningNeeded, .outOfDate, .outOfDateConfigurationNeeded),
    (.outOfDate, .upToDate, .outOfDate), (.outOfDate, .outOfDate, .outOfDate),
    (.outOfDateConfigurationNeeded, .outOfDate, .outOfDateConfigurationNeeded),
    (.upToDate, .revoked, .revoked), (.outOfDate, .revoked, .revoked),
    (.revoked, .upToDate, .revoked), (.revoked, .outOfDate, .revoked),
  ]

  @Test(arguments: convergence) func `statuses converge`(
    _ platform: TCBStatus, _ part: TCBStatus, _ expected: TCBStatus
  ) throws {
    var scene = QuoteScene.sgx()
    scene.info.levels[0].status = platform.rawValue
    scene.identity.levels[0].status = part.rawValue
    #expect(try scene.verdict().tcbStatus == expected)
    var trusting = QuoteScene.tdx4()
    trusting.info.levels[0].status = platform.rawValue
    trusting.info.modules[0].levels[0].status = part.rawValue
    trusting.policy.acceptedStatuses = TCBStatus.allCases
    let verdict = try trusting.verdict()
    #expect(verdict.tcbStatus == expected)
    #expect(verdict.isTrusted == (expected != .revoked))
  }

  @Test func `advisories are joined and the earliest date holds`() throws {
    var scene = QuoteScene.tdx4()
    scene.info.levels[0].advisories = ["INTEL-SA-00009", "INTEL-SA-00008"]
    scene.identity.levels[0].advisories = ["INTEL-SA-00008", "INTEL-SA-00007"]
    scene.info.modules[0].levels[0].advisories = ["INTEL-SA-00006"]
    scene.info.modules[0].levels[0].date = "2021-11-10T00:00:00Z"
    let verdict = try scene.verdict()
    #expect(
      verdict.advisories
        == ["INTEL-SA-00006", "INTEL-SA-00007", "INTEL-SA-00008", "INTEL-SA-00009"])
    let date = verdict.claims?.fields.first { $0.name == "tcb_date" }
    #expect(date?.value.text == "2021-11-10T00:00:00Z")
    scene.policy.advisories = .oneOf(["INTEL-SA-00006"])
    #expect(try scene.verdict().reasons.map(\.name) == ["policy.advisories"])
  }

  static let relaunch: [(TCBStatus, TCBStatus)] = [
    (.upToDate, .tdRelaunchAdvised), (.swHardeningNeeded, .tdRelaunchAdvised),
    (.configurationNeeded, .tdRelaunchAdvisedConfigurationNeeded),
    (.configurationAndSWHardeningNeeded, .tdRelaunchAdvisedConfigurationNeeded),
    (.outOfDate, .outOfDate), (.revoked, .revoked),
  ]

  @Test(arguments: relaunch) func `an old launch on a good module advises to launch again`(
    _ platform: TCBStatus, _ expected: TCBStatus
  ) throws {
    var scene = QuoteScene.tdx5()
    scene.td.teeTCBSVN[0] -= 2
    scene.info.levels[0].status = platform.rawValue
    let verdict = try scene.verdict()
    #expect(verdict.tcbStatus == expected)
    #expect(verdict.advisories == ["INTEL-SA-00003"])
    // Version 4 cannot tell which module runs now.
    scene.td.teeTCBSVN2 = scene.td.teeTCBSVN
    #expect(try scene.verdict().tcbStatus?.rawValue.hasPrefix("TDRelaunch") == false)
  }

  @Test func `a minimum evaluation number is a policy's to demand`() throws {
    var scene = QuoteScene.sgx()
    scene.policy.minimumTCB = [.init("tcb_evaluation_data_number", 20)]
    let verdict = try scene.verdict()
    #expect(
      verdict.reasons.map(\.name) == ["policy.minimum_tcb.tcb_evaluation_data_number"])
  }
}
