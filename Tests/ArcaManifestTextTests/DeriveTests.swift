import ArcaManifest
import ArcaManifestText
import Testing

/// A root file system whose numbers do not matter to the test.
let anyRoot = RootFilesystem(
  rootHash: [UInt8](repeating: 7, count: 32), salt: [1, 2], dataBlocks: 10, hashStartBlock: 10,
  writableBytes: 0)

private let accounts = ImageDefaults(
  entrypoint: ["/entry"], cmd: ["serve", "--all"], env: ["PATH=/opt/bin", "A=1"],
  workingDir: "/srv//data/./x/..", user: "web",
  passwd: Array("root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/var/www:/bin/false\n".utf8),
  group: Array("root:x:0:\nweb:x:34:\nlogs:x:40:web,other\nadm:x:41:other\n".utf8))

private func derive(
  _ image: ImageDefaults = accounts, _ change: (inout ManifestOptions) -> Void = { _ in }
) throws -> WorkloadManifest {
  var options = ManifestOptions()
  change(&options)
  return try deriveManifest(root: anyRoot, image: image, options: options)
}

@Suite struct DeriveTests {
  @Test func takesTheImagesOwnConfiguration() throws {
    let process = try derive().process
    #expect(process.args == ["/entry", "serve", "--all"])
    #expect(process.env.contains("PATH=/opt/bin"))
    #expect(process.env.contains("A=1"))
    #expect(process.env.contains("HOME=/var/www"))
    #expect(process.cwd == "/srv/data")
    #expect((process.uid, process.gid) == (33, 34))
    #expect(process.additionalGids == [40])
    #expect(process.stopSignal == 15)
  }

  @Test func aCommandReplacesCmdAndAnEntrypointDropsIt() throws {
    #expect(try derive { $0.command = ["x"] }.process.args == ["/entry", "x"])
    #expect(try derive { $0.entrypoint = ["/other"] }.process.args == ["/other"])
    #expect(
      try derive {
        $0.entrypoint = ["/other"]
        $0.command = ["y"]
      }.process.args == ["/other", "y"])
  }

  @Test func anImageWithoutACommandIsRefused() {
    #expect(code { try derive(ImageDefaults()) } == .noCommand)
  }

  @Test(arguments: [
    ("", UInt32(0), UInt32(0), [UInt32]()), ("web:logs", 33, 40, []), ("33", 33, 34, [40]),
    ("1234", 1234, 0, []), ("1234:5678", 1234, 5678, []), ("web:99", 33, 99, []),
  ])
  func usersAreResolved(user: String, uid: UInt32, gid: UInt32, more: [UInt32]) throws {
    let process = try derive { $0.user = user }.process
    #expect((process.uid, process.gid, process.additionalGids) == (uid, gid, more))
  }

  @Test(arguments: ["nobody-here", "web:nogroup", "-1", "4294967296"])
  func usersThatTheImageDoesNotHaveAreRefused(user: String) {
    #expect(code { try derive { $0.user = user } } == .unknownUser)
  }

  @Test func anOptionsVariableReplacesTheImagesInPlace() throws {
    let env = try derive { $0.env = ["A=2", "B="] }.process.env
    #expect(env.filter { $0.hasPrefix("A=") } == ["A=2"])
    #expect(env.contains("B="))
    #expect(env == env.sorted())
  }

  @Test func capabilitiesAreDroppedBeforeTheyAreAdded() throws {
    let mask = try derive {
      $0.dropCapabilities = ["all"]
      $0.addCapabilities = ["CAP_CHOWN", "net_raw"]
    }.process.capabilities
    #expect(mask == 1 << 0 | 1 << 13)
    #expect(code { try derive { $0.addCapabilities = ["FLY"] } } == .invalidField)
  }

  @Test func aReadOnlyRootHasNoOverlay() throws {
    #expect(try derive { $0.readOnly = true }.rootFilesystem.writableBytes == 0)
    #expect(try derive().rootFilesystem.writableBytes == 256 << 20)
  }

  @Test func theDigestFollowsEachPart() throws {
    let base = try derive().digest
    #expect(try derive().digest == base)
    for change in [
      { $0.env = ["X=1"] }, { $0.hostname = "h" }, { $0.workingDir = "/t" }, { $0.user = "0" },
      { $0.command = ["c"] }, { $0.noNewPrivileges = true }, { $0.readOnly = true },
      { $0.mounts = [TemporaryMount(destination: "/t", sizeBytes: 1)] },
      { $0.rlimits = [ResourceLimit(resource: 7, soft: 1, hard: 2)] }, { $0.stopSignal = "9" },
    ] as [(inout ManifestOptions) -> Void] {
      #expect(try derive(accounts, change).digest != base)
    }
  }
}

func code(_ body: () throws -> WorkloadManifest) -> ManifestTextError.Code? {
  do {
    _ = try body()
    return nil
  } catch {
    return (error as? ManifestTextError)?.code
  }
}
