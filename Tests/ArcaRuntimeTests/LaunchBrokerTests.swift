import ArcaManifest
import ArcaRuntime
import ArcaTEE
import Crypto
import Foundation
import TEEAttestation
import TEEEvidence
import Testing

/// `arca-kbs` itself on loopback, which trusts the root of a platform without silicon.
private final class BrokerProcess {
  struct Failed: Error {
    let command: [String]
    let said: String
  }

  static let booted = Array("firmware and kernel hashes".utf8)
  static let workload = [UInt8](repeating: 0xc3, count: 32)
  private static let programs = URL(fileURLWithPath: CommandLine.arguments[0])
    .deletingLastPathComponent()

  let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  let port = UInt16.random(in: 30_000..<32_000)
  let chain: [UInt8]
  let platform = SimulatedSEVPlatform()
  private(set) var pin: [UInt8] = []
  private let server = Process()

  init() throws {
    chain = try platform.chain().bytes
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try write("ark", chain.suffix(64 + 3 * 256))
    try write("secret", Array("the secret".utf8))
    let digest = SHA256.hash(data: Self.booted).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    let workload = String(repeating: "c3", count: 32)
    try write(
      "policy.yaml",
      Array(
        """
        version: 1
        rules:
          - name: app
            resources: [default/app/*]
            tees: [sev-es]
            platforms: [{measurement: \(digest.joined()), workload: \(workload)}]
            workloads: [\(workload)]
            dangerouslyAcceptSimulatedEvidence: true
        """.utf8))
    try run([
      "init", "--listen", "127.0.0.1:\(port)", "--dangerously-accept-simulated-root", path("ark"),
    ])
    try run(["resource", "set", "default/app/key", path("secret")])
    try run(["policy", "install", path("policy.yaml")])
    let text = try run(["pin"]).trimmingCharacters(in: .whitespacesAndNewlines)
    let digits = try #require(text.split(separator: " ").last)
    pin = stride(from: 0, to: 64, by: 2).compactMap {
      UInt8(digits.dropFirst($0).prefix(2), radix: 16)
    }
    server.executableURL = Self.programs.appending(path: "arca-kbs")
    server.arguments = ["serve", "--folder", path("kbs")]
    server.standardError = FileHandle.nullDevice
    try server.run()
    for _ in 0..<200 where !isServing { usleep(50_000) }
    try #require(isServing)
  }

  deinit {
    server.terminate()
    server.waitUntilExit()
    try? FileManager.default.removeItem(at: folder)
  }

  private var isServing: Bool {
    (try? execute(
      URL(filePath: "/usr/bin/curl"), ["-sfk", "https://127.0.0.1:\(port)/healthz"])) == "ok\n"
  }

  func path(_ name: String) -> String { folder.appending(path: name).path }

  private func write(_ name: String, _ content: some Sequence<UInt8>) throws {
    try Data(content).write(to: folder.appending(path: name))
  }

  @discardableResult
  func run(_ arguments: [String]) throws -> String {
    try execute(
      Self.programs.appending(path: "arca-kbs"), arguments + ["--folder", path("kbs")])
  }

  private func execute(_ program: URL, _ arguments: [String]) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = program
    process.arguments = arguments
    process.standardOutput = output
    try process.run()
    let text = String(
      decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failed(command: arguments, said: text) }
    return text
  }

  /// A workload with this secret, whose URL leads nowhere: the address is the host's to say.
  func manifest(pin: [UInt8]? = nil, resource: String = "kbs:///default/app/key")
    -> WorkloadManifest
  {
    var manifest = WorkloadManifest(
      rootFilesystem: RootFilesystem(
        rootHash: [UInt8](repeating: 1, count: 32), salt: [], dataBlocks: 1, hashStartBlock: 1,
        writableBytes: 0),
      process: WorkloadProcess(
        args: ["/bin/true"], env: [], capabilities: 0, noNewPrivileges: true), hostname: "h")
    manifest.keyBroker = KeyBrokerAccess(
      url: "https://broker.invalid:8443", publicKeys: [pin ?? self.pin])
    manifest.secrets = [Secret(resource: resource, target: .variable("KEY"))]
    return manifest
  }

  func broker(_ manifest: WorkloadManifest) throws -> LaunchBroker {
    try LaunchBroker(of: manifest, at: BrokerEndpoint(host: "127.0.0.1", port: port))
  }

  /// A launch as host, broker and processor make it; what the processor wrote into the guest.
  func launch(_ manifest: WorkloadManifest, policy: UInt64 = 0x0f) throws -> [UInt8] {
    let container = path("container")
    try? FileManager.default.removeItem(atPath: container)
    try FileManager.default.createDirectory(
      atPath: container + "/run", withIntermediateDirectories: true)
    var broker = try broker(manifest)
    let files = try broker.open(.sevES, policy: policy, chain: chain, scratch: container)
    try broker.save(in: container)
    let platform = platform.another()
    try platform.start(
      policy: UInt32(policy), certificate: try #require(decodedBase64(files.certificate)),
      session: try #require(decodedBase64(files.session)))
    try platform.update(Self.booted)
    let digest = Array(SHA256.hash(data: Self.booted))
    // Nothing waits yet.
    try LaunchBroker.judge(in: container, digest: digest)
    let record = SEVLaunchRecord(
      api: [1, 55, 21], policy: UInt32(policy), blob: try platform.measure())
    try System.replace(container + "/run/sev-launch", with: record.encoded())
    try LaunchBroker.judge(in: container, digest: digest)
    let answer = try System.contents(container + "/run/sev-secret", max: 1 << 15)
    if let reason = SEVLaunchControl.refusal(in: answer) { throw RuntimeError(.tee, reason) }
    let packet = try SEVSecretPacket(decoding: answer)
    try platform.secret(header: packet.header, ciphertext: packet.secret)
    #expect(try FileManager.default.contentsOfDirectory(atPath: container) == ["run"])
    return platform.injected
  }
}

@Suite("A launch that the workload's key broker judges")
struct LaunchBrokerTests {
  private func error(_ body: () throws -> Void) -> RuntimeError? {
    do {
      try body()
      return nil
    } catch {
      return error as? RuntimeError
    }
  }

  @Test("Over TLS to arca-kbs: the secret arrives, and each refusal has its reason")
  func broker() throws {
    let broker = try BrokerProcess()
    let table = try broker.launch(broker.manifest())
    let secrets = try LaunchSecrets(
      decoding: Array(table[40..<20 + Int(table[36])]))
    #expect(secrets[Array("default/app/key".utf8)] == Array("the secret".utf8))

    let unnamed = error {
      _ = try broker.launch(broker.manifest(resource: "kbs:///other/app/key"))
    }
    #expect(unnamed?.code == .tee)
    #expect(unnamed?.detail.contains("status 401: the resource is not released") == true)
    let weak = error { _ = try broker.launch(broker.manifest(), policy: 0x0e) }
    #expect(weak?.detail.contains("evidence-refused") == true)
    let other = error {
      _ = try broker.launch(broker.manifest(pin: [UInt8](repeating: 0, count: 32)))
    }
    #expect(other?.code == .tee)
    #expect(other?.detail.contains("key broker https://broker.invalid:8443: sev session") == true)
    let log = try broker.run(["audit", "show"])
    #expect(log.components(separatedBy: "\"release\",\"outcome\":\"ok\"").count == 2)
  }

  @Test("A manifest without a broker, or without secrets, has nothing to be judged for")
  func nothing() {
    var manifest = WorkloadManifest(
      rootFilesystem: RootFilesystem(
        rootHash: [], salt: [], dataBlocks: 1, hashStartBlock: 1, writableBytes: 0),
      process: WorkloadProcess(
        args: ["/bin/true"], env: [], capabilities: 0, noNewPrivileges: true), hostname: "h")
    #expect(error { _ = try LaunchBroker(of: manifest, at: nil) }?.code == .manifest)
    manifest.keyBroker = KeyBrokerAccess(
      url: "https://h", publicKeys: [[UInt8](repeating: 0, count: 32)])
    #expect(error { _ = try LaunchBroker(of: manifest, at: nil) }?.code == .manifest)
  }
}
