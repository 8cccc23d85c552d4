import ArcaTEE
import Testing

@Suite struct EnclaveEnvironmentTests {
  @Test func whatIsMeasuredIsWhatTheEnclaveIsTold() throws {
    let environment = EnclaveEnvironment(.simulatedSGX, workload: [UInt8](repeating: 7, count: 32))
    let manifest = TOMLTable([
      "loader": .table(TOMLTable(["uid": .number(0), "env": .table(environment.table)])),
      "sgx": .table(TOMLTable(["debug": .flag(false)])),
    ])
    #expect(try EnclaveEnvironment(manifest: Array(manifest.text.utf8)) == environment)
    #expect(manifest.text.contains("[loader.env]\nARCA_TEE = \"sim-sgx\"\nARCA_WORKLOAD = \"0707"))
  }

  @Test(arguments: ["", "[loader.env]\n", "[loader.env]\nA = 1\n", "[sgx]\nA = \"1\"\n"])
  func aManifestWithoutThemIsRefused(_ text: String) {
    let error = #expect(throws: TEEError.self) {
      try EnclaveEnvironment(manifest: Array(text.utf8))
    }
    #expect(error?.code == .description)
  }
}
