import ArcaManifest
import ArcaManifestText
import Testing

@Suite struct EngineProcessTests {
  private let image = ImageDefaults(
    entrypoint: ["/entry"], cmd: ["serve"], env: ["A=1", "PATH=/opt/bin"], workingDir: "/srv",
    user: "web",
    passwd: Array("root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/var/www:/bin/false\n".utf8),
    group: Array("web:x:34:\nlogs:x:40:web\n".utf8))

  /// What the engine makes of the image, by its own habits.
  private func process(_ env: [String], _ groups: [UInt32]) -> EngineProcess {
    var process = EngineProcess()
    process.args = ["/entry", "serve"]
    process.env = env
    process.cwd = "/srv"
    process.uid = 33
    process.gid = 34
    process.additionalGids = groups
    process.hostname = "4f2a"
    return process
  }

  @Test(arguments: [
    // podman, Docker, containerd.
    (
      [
        "container=podman", "A=1", "PATH=/opt/bin", "TERM=xterm", "HOME=/var/www", "HOSTNAME=4f2a",
      ], [UInt32(40)]
    ), (["PATH=/opt/bin", "HOSTNAME=4f2a", "A=1"], [34, 40]),
    (["A=1", "PATH=/opt/bin"], [40, 34]),
  ])
  func everyEngineLeadsToTheImagesOwnDigest(env: [String], groups: [UInt32]) throws {
    let expected = try deriveManifest(root: anyRoot, image: image, options: ManifestOptions())
    let found = try deriveManifest(
      root: anyRoot, process: process(env, groups), passwd: image.passwd,
      options: ManifestOptions())
    #expect(found == expected)
    #expect(found.digest == expected.digest)
  }

  @Test func theDefaultsOfEnginesAreOneDefault() throws {
    var process = process([], [])
    let podman = [
      "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "SETGID", "SETUID", "SETPCAP",
      "NET_BIND_SERVICE", "KILL", "SYS_CHROOT", "SETFCAP",
    ].map { "CAP_" + $0 }
    let docker = podman + ["CAP_MKNOD", "CAP_NET_RAW", "CAP_AUDIT_WRITE"]
    let masks = try [podman, docker, docker + ["CAP_NET_ADMIN"], ["CAP_NET_RAW"]].map {
      process.capabilities = $0
      return try deriveManifest(
        root: anyRoot, process: process, passwd: [], options: ManifestOptions()
      ).process.capabilities
    }
    #expect(masks[0] == ManifestOptions.capabilitiesDefault)
    #expect(masks[1] == masks[0])
    #expect(masks[2] == masks[0] | 1 << 12)
    #expect(masks[3] == 1 << 13)
  }

  @Test func whatAnotherUserIsToKeepIsAsPodmanSaysIt() throws {
    var options = ManifestOptions()
    options.user = "33:34"
    options.addCapabilities = ["net_raw", "NET_ADMIN"]
    let expected = try deriveManifest(root: anyRoot, image: image, options: options)
    var process = process(["A=1", "PATH=/opt/bin"], [])
    process.ambientCapabilities = ["CAP_NET_ADMIN", "CAP_NET_RAW"]
    process.capabilities =
      process.ambientCapabilities
      + [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
        "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
      ].map { "CAP_" + $0 }
    let found = try deriveManifest(
      root: anyRoot, process: process, passwd: image.passwd, options: ManifestOptions())
    #expect(found.process.ambientCapabilities == 1 << 12 | 1 << 13)
    #expect(found.digest == expected.digest)
    options.user = "0"
    #expect(
      try deriveManifest(root: anyRoot, image: image, options: options)
        .process.ambientCapabilities == 0)
  }

  private static func limit(_ resource: UInt8, _ soft: UInt64, _ hard: UInt64) -> ResourceLimit {
    ResourceLimit(resource: resource, soft: soft, hard: hard)
  }

  @Test(arguments: [
    // Docker; containerd; podman as root; podman with its own process's limits, raised and not.
    [], [limit(7, 1024, 1024)], [limit(7, 1 << 20, 1 << 20), limit(6, 1 << 20, 1 << 20)],
    [limit(7, 20_000, 20_000), limit(6, 500, 900)], [limit(7, 512, 20_000), limit(6, 900, 900)],
  ])
  func limitsThatEnginesAddAreNobodysRequest(limits: [ResourceLimit]) throws {
    #expect(try asked(limits) == [])
  }

  @Test(arguments: [
    // podman, which gives the other limit by itself; Docker.
    ([limit(7, 1000, 2000), limit(6, 1 << 20, 1 << 20)], [limit(7, 1000, 2000)]),
    ([limit(7, 1024, 1024), limit(6, 1 << 20, 1 << 20)], [limit(7, 1024, 1024)]),
    ([limit(7, 20_000, 20_000), limit(6, 90, 90)], [limit(6, 90, 90)]),
    (
      [limit(7, 1000, 1000), limit(4, 0, 0), limit(6, 3, 4)],
      [limit(4, 0, 0), limit(6, 3, 4), limit(7, 1000, 1000)]
    ),
    ([limit(7, 20_000, 20_000)], [limit(7, 20_000, 20_000)]),
    ([limit(7, 1024, 2048)], [limit(7, 1024, 2048)]),
    ([limit(6, 900, 900)], [limit(6, 900, 900)]),
  ])
  func limitsThatAUserAsksForAreTheOwners(limits: [ResourceLimit], expected: [ResourceLimit]) throws
  {
    #expect(try asked(limits) == expected)
    var options = ManifestOptions()
    options.rlimits = expected.reversed()
    #expect(
      try deriveManifest(root: anyRoot, image: image, options: options).process.rlimits == expected)
  }

  @Test func theLimitsThatAGuestHasAnywayAreNotSaid() throws {
    var options = ManifestOptions()
    options.rlimits = [Self.limit(7, 5, 5), Self.limit(7, 1 << 20, 1 << 20)]
    #expect(try deriveManifest(root: anyRoot, image: image, options: options).process.rlimits == [])
  }

  /// What is in the manifest of `limits` where the runtime itself has 20,000 and 900.
  private func asked(_ limits: [ResourceLimit]) throws -> [ResourceLimit] {
    var process = process([], [])
    process.rlimits = limits
    process.ownLimits = [Self.limit(6, 500, 900), Self.limit(7, 512, 20_000)]
    return try deriveManifest(
      root: anyRoot, process: process, passwd: [], options: ManifestOptions()
    ).process.rlimits
  }

  @Test func whatAUserAddsIsKept() throws {
    let found = try deriveManifest(
      root: anyRoot, process: process(["B=2", "HOSTNAME=other"], []), passwd: [],
      options: ManifestOptions())
    #expect(found.process.env.contains("B=2"))
    #expect(found.process.env.contains("HOSTNAME=other"))
    #expect(found.process.env == found.process.env.sorted())
  }
}
