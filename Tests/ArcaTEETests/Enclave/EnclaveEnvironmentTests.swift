import ArcaTEE
import Testing

@Suite struct EnclaveEnvironmentTests {
  @Test func whatIsMeasuredIsWhatTheEnclaveIsTold() throws {
    let environment = EnclaveEnvironment(.simulatedSGX, workload: [UInt8](repeating: 7, count: 32))
    let manifest = "[loader]\nuid = 0\n\n\(environment.text)\n[sgx]\ndebug = false\n"
    #expect(try EnclaveEnvironment(manifest: Array(manifest.utf8)) == environment)
  }

  @Test(arguments: ["", "[loader.env]\n", "[loader.env]\nA = 1\n", "[sgx]\nA = \"1\"\n"])
  func aManifestWithoutThemIsRefused(_ text: String) {
    let error = #expect(throws: TEEError.self) {
      try EnclaveEnvironment(manifest: Array(text.utf8))
    }
    #expect(error?.code == .description)
  }
}
