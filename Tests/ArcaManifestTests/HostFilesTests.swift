import ArcaBytes
import ArcaManifest
import Testing

@Suite struct HostFilesTests {
  private var manifest: WorkloadManifest {
    var manifest = WorkloadManifest(
      rootFilesystem: RootFilesystem(
        rootHash: [UInt8](repeating: 1, count: 32), salt: [], dataBlocks: 1, hashStartBlock: 1,
        writableBytes: 0),
      process: WorkloadProcess(
        args: ["/a"], env: ["HOSTNAME=arca", "A=HOSTNAME=arca"], capabilities: 0b11,
        noNewPrivileges: true), hostname: "arca")
    manifest.hostMay.setHostname = true
    return manifest
  }

  private let network = HostNetwork(
    interfaces: [
      HostNetwork.Interface(
        name: "eth0", hardwareAddress: [2, 0, 0, 0, 0, 1], mtu: 1500,
        addresses: [[10, 0, 0, 2, 16], [UInt8](repeating: 1, count: 16) + [64]])
    ],
    routes: [
      HostNetwork.Route(interface: 0, destination: [0, 0, 0, 0, 0], gateway: [10, 0, 0, 1])
    ])

  @Test func inputComesBackAsItWas() throws {
    var input = HostInput(hostname: "web", terminal: .init(rows: 1, columns: 2))
    input.files = [HostFile(path: "/etc/hosts", mode: 0o644, content: [1, 2])]
    input.folders = [
      HostFolder(path: "/data", isReadOnly: true), HostFolder(path: "/srv/a", isReadOnly: false),
    ]
    input.network = network
    #expect(try HostInput(decoding: input.encoded()) == input)
  }

  @Test func filesNeedARuleThatNamesThem() throws {
    var allowed = manifest
    allowed.hostMay.writeFiles = ["/etc/hosts", "/data/*"]
    for path in ["/etc/hosts", "/data/a/b"] {
      var input = HostInput()
      input.files = [HostFile(path: path, mode: 0o600, content: [])]
      #expect(throws: Never.self) { try allowed.merged(with: input) }
      #expect(field { try manifest.merged(with: input) } == "hostMay.writeFiles: \(path)")
    }
    var input = HostInput()
    input.files = [HostFile(path: "/database", mode: 0o600, content: [])]
    #expect(field { try allowed.merged(with: input) } == "hostMay.writeFiles: /database")
  }

  @Test(arguments: ["relative", "/", "/a/../b", "//a", "/a/"])
  func anUncleanPathIsRefused(path: String) {
    var input = HostInput()
    input.files = [HostFile(path: path, mode: 0o600, content: [])]
    #expect(field { try HostInput(decoding: input.encoded()) } == "files.path")
  }

  @Test func foldersNeedARuleThatNamesThem() throws {
    var allowed = manifest
    allowed.hostMay.shareFolders = ["/data", "/srv/*"]
    var input = HostInput()
    for path in ["/data", "/srv/a"] {
      input.folders = [HostFolder(path: path, isReadOnly: false)]
      #expect(throws: Never.self) { try allowed.merged(with: input) }
      #expect(field { try manifest.merged(with: input) } == "hostMay.shareFolders: \(path)")
    }
    for path in ["/data/a", "/srv", "/dat"] {
      input.folders = [HostFolder(path: path, isReadOnly: false)]
      #expect(field { try allowed.merged(with: input) } == "hostMay.shareFolders: \(path)")
    }
  }

  @Test func foldersAreBounded() throws {
    var input = HostInput()
    input.folders = [HostFolder](
      repeating: HostFolder(path: "/a", isReadOnly: false), count: HostFolder.countMax + 1)
    #expect(field { try HostInput(decoding: input.encoded()) } == "folders")
    input.folders = [HostFolder(path: "/a/..", isReadOnly: false)]
    #expect(field { try HostInput(decoding: input.encoded()) } == "folders.path")
  }

  @Test func aNetworkNeedsARule() throws {
    var input = HostInput()
    input.network = network
    #expect(field { try manifest.merged(with: input) } == "network")
    var allowed = manifest
    allowed.hasNetwork = true
    #expect(throws: Never.self) { try allowed.merged(with: input) }
  }

  @Test func networksOutOfTheirBoundsAreRefused() {
    let changes: [(inout HostNetwork) -> Void] = [
      { $0.interfaces[0].name = "" }, { $0.interfaces[0].name = "a/b" },
      { $0.interfaces[0].hardwareAddress = [1] }, { $0.interfaces[0].mtu = 67 },
      { $0.interfaces[0].addresses = [[1, 2, 3, 4, 33]] }, { $0.interfaces[0].addresses = [[1]] },
      {
        $0.interfaces[0].name = HostNetwork.podLink
        $0.interfaces[0].mtu = 1279
      },
      { $0.routes[0].interface = 1 }, { $0.routes[0].gateway = [1] },
      { $0.routes[0].destination = [1, 2, 3, 4] },
    ]
    for (index, change) in changes.enumerated() {
      var input = HostInput()
      var changed = network
      change(&changed)
      input.network = changed
      #expect(throws: ManifestError.self, "change \(index)") {
        try HostInput(decoding: input.encoded())
      }
    }
  }

  @Test func theHostNameAlsoStandsInTheEnvironment() throws {
    let merged = try manifest.merged(with: HostInput(hostname: "web"))
    #expect(merged.process.env == ["HOSTNAME=web", "A=HOSTNAME=arca"])
  }

  @Test func aProgramBesideTheWorkloadNeedsARuleAndGetsNoMoreThanIt() throws {
    var wanted = WorkloadProcess(args: ["sh"], env: [], capabilities: 0b110, noNewPrivileges: false)
    wanted.ambientCapabilities = 0b110
    wanted.rlimits = [ResourceLimit(resource: 7, soft: 9, hard: 9)]
    let request = try ExecutionRequest(
      decoding: ExecutionRequest(process: wanted, terminal: .init(rows: 3, columns: 4)).encoded())
    #expect(request.terminal == .init(rows: 3, columns: 4))
    #expect(field { try request.process(in: manifest) } == "hostMay.execute")
    var allowed = manifest
    allowed.hostMay.execute = true
    #expect(field { try request.process(in: allowed) } == "hostMay.attachTerminal")
    allowed.hostMay.attachTerminal = true
    let process = try request.process(in: allowed)
    #expect(process.capabilities == 0b10)
    #expect(process.ambientCapabilities == 0)
    #expect(process.rlimits == [])
    #expect(process.noNewPrivileges)
    allowed.process.ambientCapabilities = 0b10
    allowed.process.rlimits = [ResourceLimit(resource: 6, soft: 1, hard: 2)]
    #expect(try request.process(in: allowed).ambientCapabilities == 0b10)
    #expect(try request.process(in: allowed).rlimits == allowed.process.rlimits)
  }

  private func field(_ body: () throws -> some Any) -> String? {
    do {
      _ = try body()
      return nil
    } catch {
      return (error as? ManifestError).map { String(decoding: $0.field, as: UTF8.self) }
    }
  }
}
