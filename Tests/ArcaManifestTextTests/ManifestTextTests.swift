import ArcaManifest
import ArcaManifestText
import Foundation
import Testing

private let minimal = """
  version: 1
  rootFilesystem:
    rootHash: "0707070707070707070707070707070707070707070707070707070707070707"
    salt: "0102"
    dataBlocks: 10
    hashStartBlock: 10
  process:
    args: [/bin/true]
  """

@Suite struct ManifestTextTests {
  @Test func bothViewsReadBackToTheSameDigest() throws {
    var options = ManifestOptions()
    options.rlimits = [ResourceLimit(resource: 7, soft: 4096, hard: .max)]
    options.mounts = [TemporaryMount(destination: "/run", sizeBytes: 1 << 20, mode: 0o755)]
    options.user = "7"
    options.addCapabilities = ["NET_ADMIN"]
    options.env = ["TRICKY=: #x\n\"é"]
    let manifest = try deriveManifest(
      root: anyRoot, image: ImageDefaults(cmd: ["yes", "1e3", ""]), options: options)
    #expect(manifest.process.ambientCapabilities == 1 << 12)
    #expect(try ManifestText.parse(ManifestText.json(manifest)).digest == manifest.digest)
    #expect(try ManifestText.parse(ManifestText.yaml(manifest)).digest == manifest.digest)
  }

  @Test func whatIsLeftOutIsRefusedToTheHost() throws {
    let manifest = try ManifestText.parse(minimal)
    #expect(manifest.hostMay == HostRules())
    #expect(manifest.process.noNewPrivileges)
  }

  @Test(arguments: [
    ("version: 1", "version: 2", ManifestTextError.Code.invalidField),
    ("  salt: \"0102\"\n", "", .invalidField),
    ("salt: \"0102\"", "salt: zz", .invalidField),
    ("dataBlocks: 10", "dataBlocks: 0", .invalidField),
    ("dataBlocks: 10", "dataBlocks: 11", .invalidField),
    ("dataBlocks: 10", "dataBlocks: 10\n  blocks: 3", .unknownField),
    ("args: [/bin/true]", "args: []", .invalidField),
    ("args: [/bin/true]", "args: [/bin/true]\n  cwd: relative", .invalidField),
    ("args: [/bin/true]", "args: [/bin/true]\n  cwd: /a/../b", .invalidField),
    ("args: [/bin/true]", "args: [/bin/true]\n  env: [novalue]", .invalidField),
    ("args: [/bin/true]", "args: [/bin/true]\n  umask: \"9\"", .invalidField),
    ("args: [/bin/true]", "args: [/bin/true]\n  capabilities: [CAP_X]", .invalidField),
    ("args: [/bin/true]", "args: [/bin/true]\n  ambientCapabilities: [CAP_BPF]", .invalidField),
    ("args: [/bin/true]", "args: [/bin/true]\nhostMay: {everything: true}", .unknownField),
    ("version: 1", "version: [", .syntax),
  ])
  func faultsAreNamed(find: String, replacement: String, expected: ManifestTextError.Code) {
    let text = minimal.replacingOccurrences(of: find, with: replacement)
    #expect(text != minimal)
    #expect(code { try ManifestText.parse(text) } == expected)
  }

  @Test(arguments: [
    ("SIGTERM", 15), ("term", 15), ("9", 9), ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("SIGRTMIN", 34),
  ])
  func signalsAreRead(name: String, number: UInt8) {
    #expect(LinuxNames.signal(name) == number)
    #expect(LinuxNames.signal(LinuxNames.signalName(number)) == number)
  }

  @Test(arguments: ["", "0", "65", "SIGNOPE", "RTMIN+31", "RTMIN+-1"])
  func unknownSignalsAreNot(name: String) {
    #expect(LinuxNames.signal(name) == nil)
  }

  /// The fields around the key broker, with their defaults.
  @Test func secretsAreWrittenAndRead() throws {
    let text = """
      version: 1
      rootFilesystem:
        rootHash: "\(String(repeating: "ab", count: 32))"
        salt: ""
        dataBlocks: 1
        hashStartBlock: 1
        encryptionKey: kbs:///default/key/root
      process: {args: [/a], uid: 5, gid: 6}
      keyBroker:
        url: https://broker.example
        publicKeys: ["\(String(repeating: "cd", count: 32))"]
      secrets:
        - {resource: "kbs:///default/key/db", path: /run/db}
        - {resource: "kbs:///default/key/api", env: API}
      volumes:
        - {name: data, destination: /data, key: "kbs:///default/volume/data"}
      network: true
      pod: {place: 1, ports: [[80], [81, 82]], key: "kbs:///default/pod/key"}
      workloadMay: {getToken: true}
      """
    let manifest = try ManifestText.parse(text)
    #expect(
      manifest.secrets.first?.target == .file(path: "/run/db", mode: 0o400, uid: 5, gid: 6))
    #expect(manifest.secrets.last?.target == .variable("API"))
    #expect(manifest.volumes.first?.isReadOnly == false)
    #expect(manifest.hasNetwork && manifest.workloadMay.getToken)
    #expect(
      manifest.pod == Pod(place: 1, ports: [[80], [81, 82]], key: "kbs:///default/pod/key"))
    #expect(manifest.rootFilesystem.encryptionKey == "kbs:///default/key/root")
    #expect(try ManifestText.parse(try ManifestText.json(manifest)) == manifest)
    #expect(try ManifestText.parse(try ManifestText.yaml(manifest)) == manifest)
    for (given, wanted) in [("env: API", "env: API, path: /x"), ("env: API", "mode: \"0400\"")] {
      let error = #expect(throws: ManifestTextError.self) {
        try ManifestText.parse(text.replacing(given, with: wanted))
      }
      #expect(error?.code == .invalidField)
    }
  }
}
