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

  @Test func whatAUserAddsIsKept() throws {
    let found = try deriveManifest(
      root: anyRoot, process: process(["B=2", "HOSTNAME=other"], []), passwd: [],
      options: ManifestOptions())
    #expect(found.process.env.contains("B=2"))
    #expect(found.process.env.contains("HOSTNAME=other"))
    #expect(found.process.env == found.process.env.sorted())
  }
}
