import ArcaBytes
import ArcaManifest
import ArcaWire
import Testing

extension GuestTests {
  /// The check of identity is the same for every kind of TEE, by that kind's own evidence.
  @Suite struct KindTests {
    let disk: TestDisk

    init() throws { disk = try TestDisk.shared.get() }

    private func open(
      _ kind: String, _ evidence: GuestMachine.Evidence
    ) throws -> GuestMessage? {
      try withGuest(disk: disk.file, kind: kind) {
        try $0.open(disk.manifest(["true"]), evidence: evidence)
      }
    }

    private var digest: [UInt8] { disk.manifest(["true"]).digest }

    @Test func aQuoteWithTheDigestInMRCONFIGIDStartsTheWorkload() throws {
      let identity = digest + [UInt8](repeating: 0, count: 16)
      guard case .started? = try open("sim-tdx", .quote(mrConfigID: identity)) else {
        Issue.record("not started")
        return
      }
    }

    @Test(arguments: [0, 31, 32, 47])
    func anotherMRCONFIGIDIsRefused(_ byte: Int) throws {
      var identity = digest + [UInt8](repeating: 0, count: 16)
      identity[byte] ^= 1
      expectFailure(try open("sim-tdx", .quote(mrConfigID: identity)), .identity)
    }

    @Test func evidenceOfAnotherKindIsRefused() throws {
      let identity = digest + [UInt8](repeating: 0, count: 16)
      expectFailure(try open("sim-tdx", .right), .evidence)
      expectFailure(try open("sim-snp", .quote(mrConfigID: identity)), .evidence)
    }

    @Test(arguments: ["sev", "sev-es"])
    func theMeasuredCommandLineBindsTheWorkload(_ kind: String) throws {
      let bound = "\(kind) arca.workload=\(Hex.encode(digest))"
      guard case .started? = try open(bound, .none) else {
        Issue.record("not started")
        return
      }
      let other = "\(kind) arca.workload=\(String(repeating: "0", count: 64))"
      expectFailure(try open(other, .none), .identity)
    }

    /// No security processor wrote any here, which the guest finds out by itself.
    @Test func withoutSecretsFromTheLaunchTheWorkloadDoesNotStart() throws {
      var manifest = disk.manifest(["true"])
      manifest.keyBroker = KeyBrokerAccess(
        url: "https://broker.invalid", publicKeys: [[UInt8](repeating: 1, count: 32)])
      manifest.secrets = [Secret(resource: "kbs:///default/app/key", target: .variable("KEY"))]
      let bound = "sev-es arca.workload=\(Hex.encode(manifest.digest))"
      let last = try withGuest(disk: disk.file, kind: bound) {
        try $0.open(manifest, evidence: .none)
      }
      expectFailure(last, .secret)
    }

    /// The guest has no driver that makes evidence here, which it says rather than going on.
    @Test func hardwareThatIsNotThereIsRefused() throws {
      guard case .failure? = try open("snp", .none) else {
        Issue.record("it went on without evidence")
        return
      }
    }
  }
}
