import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaRuntime
import ArcaTEE
import Foundation
import TEEMeasurement
import Testing

@Suite struct EnclaveManifestTests {
  private static let hash = [UInt8](repeating: 0xaa, count: 32)

  private var workload: WorkloadManifest {
    let root = RootFilesystem(
      rootHash: Self.hash, salt: Self.hash, dataBlocks: 1, hashStartBlock: 1, writableBytes: 1 << 20
    )
    return WorkloadManifest(
      rootFilesystem: root,
      process: WorkloadProcess(
        args: ["/usr/bin/dash"], env: [], capabilities: 0, noNewPrivileges: true),
      hostname: "box")
  }

  private let tree = LinkTree(
    links: ["/bin": "usr/bin", "/usr/bin/sh": "dash"], folders: ["/usr", "/usr/bin"])

  private func manifest(
    _ kind: LaunchKind = .sgx, _ workload: WorkloadManifest? = nil,
    files: [RootFile]? = nil, isServed: Bool = true, _ options: EnclaveOptions = EnclaveOptions()
  ) throws -> EnclaveManifest {
    try EnclaveManifest(
      kind, workload ?? self.workload,
      files: try files ?? rootFiles("/etc/motd", "/tmp/hidden", "/usr/bin/dash"),
      program: Self.hash,
      served: isServed ? EnclaveManifest.Served(library: Self.hash, tree: tree) : nil,
      options: options)
  }

  private func refusal(_ body: () throws -> EnclaveManifest) -> RuntimeError.Code? {
    #expect(throws: RuntimeError.self) { _ = try body() }?.code
  }

  /// The whole manifest; `gramine-sgx-sign` writes it back unchanged.
  @Test func theManifestIsWhatGramineSigns() throws {
    let digest = Hex.encode(workload.digest)
    let text = String(decoding: try manifest().bytes, as: UTF8.self)
    #expect(text == goldenManifest.replacing("DIGEST", with: digest))
  }

  @Test func withoutGramineTheProgramIsTrustedWhereItIsEntered() throws {
    let bytes = try manifest(.simulatedSGX, isServed: false).bytes
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(
      try TrustedFiles(manifest: bytes).files.map(\.path)
        == ["/arca/root/arca/init", "/arca/root/etc/motd", "/arca/root/usr/bin/dash"])
    #expect(!text.contains("loader.entrypoint") && !text.contains("chroot\", path"))
    #expect(
      try EnclaveEnvironment(manifest: bytes)
        == EnclaveEnvironment(.simulatedSGX, workload: workload.digest))
  }

  @Test func everyChoiceIsReadBackAndChangesTheManifest() throws {
    let changes: [(inout EnclaveOptions) -> Void] = [
      { $0.enclaveBytes = 64 << 20 }, { $0.enclaveBytes = 1 << 40 }, { $0.threads = 4 },
      { $0.addsPagesOnDemand = true }, { $0.isDebuggable = true },
      { $0.keepsExceptionInformation = true }, { $0.productID = 7 }, { $0.securityVersion = 9 },
      { $0.processorFeatures["avx512"] = "disabled" },
      { $0.processorFeatures["pkru"] = "required" },
    ]
    let usual = try manifest().bytes
    for change in changes {
      var options = EnclaveOptions()
      change(&options)
      let bytes = try manifest(options).bytes
      #expect(bytes != usual)
      let read = EnclaveOptions(try GramineManifest(bytes))
      #expect(try manifest(read).bytes == bytes)
      #expect(read.enclaveBytes == options.enclaveBytes)
    }
  }

  private func manifest(_ options: EnclaveOptions) throws -> EnclaveManifest {
    try manifest(.sgx, nil, files: nil, isServed: true, options)
  }

  @Test func choicesThatNoEnclaveCanBeAreRefused() {
    let changes: [(inout EnclaveOptions) -> Void] = [
      { $0.enclaveBytes = 3 << 28 }, { $0.enclaveBytes = 32 << 20 }, { $0.enclaveBytes = 1 << 41 },
      { $0.threads = 3 }, { $0.threads = 5000 }, { $0.processorFeatures["sse"] = "required" },
      { $0.processorFeatures["avx"] = "yes" }, { $0.processorFeatures["mpx"] = "unspecified" },
    ]
    for change in changes {
      var options = EnclaveOptions()
      change(&options)
      #expect(refusal { try manifest(options) } == .usage)
    }
  }

  @Test func everythingOfTheWorkloadCounts() throws {
    let usual = try manifest().bytes
    var other = workload
    other.process.args.append("x")
    #expect(try manifest(.sgx, other).bytes != usual)
    #expect(try manifest(.simulatedSGX).bytes != usual)
    #expect(try manifest(files: rootFiles("/etc/motd", "/usr/bin/dash")).bytes != usual)
    other = workload
    other.mounts = [TemporaryMount(destination: "/data", sizeBytes: 5)]
    let mounted = try manifest(.sgx, other)
    #expect(
      mounted.temporaries.contains { $0.path == "/data" && $0.mode == 0o1777 && $0.bytes == 5 })
    #expect(String(decoding: mounted.bytes, as: UTF8.self).contains("path = \"/data\""))
  }

  @Test func secretsGetMemoryOfTheirOwn() throws {
    var other = workload
    func secret(_ path: String) -> Secret {
      Secret(
        resource: "kbs:///a/b/c", target: .file(path: path, mode: 0o400, uid: 0, gid: 0))
    }
    other.secrets = [secret("/keys/one"), secret("/keys/two"), secret("/run/three")]
    let folders = try manifest(.sgx, other).temporaries.map(\.path)
    #expect(folders.filter { $0 == "/keys" }.count == 1)
    #expect(folders.filter { $0 == "/run" }.count == 1)
    for path in ["/etc/key", "/key"] {
      other.secrets = [secret(path)]
      #expect(refusal { try manifest(.sgx, other) } == .manifest)
    }
  }

  @Test func whatNeedsAKernelIsRefused() {
    var encrypted = workload
    encrypted.rootFilesystem.encryptionKey = "kbs:///a/b/c"
    var stored = workload
    stored.volumes = [
      EncryptedVolume(name: "v", destination: "/v", key: "kbs:///a/b/c")
    ]
    for other in [encrypted, stored] { #expect(refusal { try manifest(.sgx, other) } == .manifest) }
  }
}
