import ArcaBytes
import ArcaManifest
import ArcaWire
import Testing

extension GuestTests {
  /// arca-init as the first program of an enclave, under a host that breaks the rules.
  @Suite struct EnclaveTests {
    let disk: TestDisk

    init() throws { disk = try TestDisk.shared.get() }

    private func enclave<Result>(
      of manifest: WorkloadManifest, _ body: (GuestMachine) throws -> Result
    ) throws -> Result {
      try withEnclave(
        ["ARCA_TEE": "sim-sgx", "ARCA_WORKLOAD": Hex.encode(manifest.digest)], body)
    }

    private func open(
      _ manifest: WorkloadManifest, _ input: HostInput = HostInput(),
      _ evidence: GuestMachine.Evidence = .enclaveQuote(isRight: true)
    ) throws -> GuestMessage? {
      try enclave(of: manifest) { try $0.open(manifest, input, evidence: evidence) }
    }

    @Test func theWorkloadTakesItsPlace() throws {
      let manifest = disk.manifest(["true"])
      try enclave(of: manifest) {
        guard case .started? = try $0.open(manifest, evidence: .enclaveQuote(isRight: true)) else {
          Issue.record("not started")
          return
        }
        #expect(try $0.next() == nil, "the line outlived execve")
      }
    }

    @Test func aProgramThatCannotRunIsNamed() throws {
      let manifest = disk.manifest(["/nothing/there"])
      try enclave(of: manifest) {
        _ = try $0.open(manifest, evidence: .enclaveQuote(isRight: true))
        expectFailure(try $0.next(), .commandNotFound)
      }
    }

    @Test func anotherManifestThanTheMeasuredEnvironmentNamesIsRefused() throws {
      try enclave(of: disk.manifest(["true"])) {
        expectFailure(
          try $0.open(disk.manifest(["false"]), evidence: .enclaveQuote(isRight: true)), .identity)
      }
      try withEnclave(["ARCA_TEE": "sim-sgx"]) {
        expectFailure(
          try $0.open(disk.manifest(["true"]), evidence: .enclaveQuote(isRight: true)), .identity)
      }
    }

    @Test func evidenceOverOtherDataOrOfAnotherKindIsRefused() throws {
      let manifest = disk.manifest(["true"])
      let identity = manifest.digest + [UInt8](repeating: 0, count: 16)
      for evidence in [
        .enclaveQuote(isRight: false), .right, .quote(mrConfigID: identity),
      ] as [GuestMachine.Evidence] {
        expectFailure(try open(manifest, HostInput(), evidence), .evidence)
      }
    }

    @Test func whatNeedsAKernelIsRefused() throws {
      var manifest = disk.manifest(["true"])
      manifest.rootFilesystem.encryptionKey = "kbs:///a/b/c"
      manifest.keyBroker = KeyBrokerAccess(
        url: "https://127.0.0.1:1", publicKeys: [[UInt8](repeating: 1, count: 32)])
      expectFailure(try open(manifest), .manifest)
      manifest = disk.manifest(["true"])
      manifest.hostMay.attachTerminal = true
      var input = HostInput()
      input.terminal = HostInput.TerminalSize(rows: 24, columns: 80)
      expectFailure(try open(manifest, input), .hostInput)
    }

    @Test(arguments: HostileHostTests.Malformed.allCases)
    func brokenFramesEndIt(_ malformed: HostileHostTests.Malformed) throws {
      try enclave(of: disk.manifest(["true"])) {
        try $0.ready()
        $0.send(raw: malformed.bytes)
        expectFailure(try $0.next(), .wire)
      }
    }
  }
}
