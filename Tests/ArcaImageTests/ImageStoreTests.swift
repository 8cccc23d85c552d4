import ArcaImage
import ArcaOCI
import ArcaTestSupport
import Foundation
import Testing

@Suite struct ImageStoreTests {
  private let content = layer([("a", "b")])

  @Test func namesAndDigestsFindWhatWasImported() throws {
    let fixture = try ImageFixture()
    let image = try fixture.convert([content])
    try fixture.store.setName("debian", image.manifestDigest)
    let hex = image.manifestDigest.dropFirst("sha256:".count)
    for name in ["debian", "debian:latest", image.manifestDigest, String(hex.prefix(12))] {
      #expect(try fixture.store.find(name)?.rootHash == image.rootHash, "\(name)")
      #expect(try fixture.store.prepare(reference: name).rootHash == image.rootHash, "\(name)")
    }
    #expect(try fixture.store.find("debian:other") == nil)
    let listings = try fixture.store.list()
    #expect(listings.map(\.names) == [["debian:latest"]])
    #expect(listings.map(\.digest) == [image.manifestDigest])
  }

  @Test func anImageInUseStaysAndRemovalIsIdempotent() throws {
    let fixture = try ImageFixture()
    var image: PreparedImage? = try fixture.convert([content])
    let digest = try #require(image?.manifestDigest)
    let path = try #require(image?.rootfsPath)
    #expect(try fixture.store.list().map(\.isInUse) == [true])
    #expect { try fixture.store.remove(digest) } throws: { ($0 as? ImageError)?.code == .inUse }
    #expect(try fixture.store.prune() == 0)
    #expect(FileManager.default.fileExists(atPath: path))
    image = nil
    #expect(try soon { try fixture.store.list().map(\.isInUse) == [false] })
    #expect(try fixture.store.remove(digest))
    #expect(try fixture.store.remove(digest) == false)
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(try fixture.store.list() == [])
  }

  @Test func aChildProcessThatInheritsTheHoldKeepsTheImage() throws {
    let fixture = try ImageFixture()
    var image: PreparedImage? = try fixture.convert([content])
    let digest = try #require(image?.manifestDigest)
    let child = Process()
    child.executableURL = URL(fileURLWithPath: "/bin/sh")
    child.arguments = ["-c", "read line"]
    let pipe = Pipe()
    child.standardInput = pipe
    child.standardOutput = FileHandle(fileDescriptor: try #require(image?.hold.descriptor))
    try child.run()
    image = nil
    #expect(try fixture.store.list().map(\.isInUse) == [true])
    #expect { try fixture.store.remove(digest) } throws: { ($0 as? ImageError)?.code == .inUse }
    try pipe.fileHandleForWriting.close()
    child.waitUntilExit()
    #expect(try soon { try fixture.store.list().map(\.isInUse) == [false] })
    #expect(try fixture.store.remove(digest))
  }

  @Test func pruneRemovesWhatHasNoNameAndKeepsWhatIsShared() throws {
    let fixture = try ImageFixture()
    let first = try fixture.writer.image(layers: [content], config: .init(cmd: ["/one"]))
    let second = try fixture.writer.image(layers: [content], config: .init(cmd: ["/two"]))
    for descriptor in [first, second] {
      try fixture.writer.index([descriptor])
      _ = try fixture.store.prepare(reference: fixture.reference)
    }
    try fixture.store.setName("kept", second.digest)
    #expect(try fixture.store.list().count == 2)
    #expect(try soon { try fixture.store.list().allSatisfy { !$0.isInUse } })
    #expect(try fixture.store.prune() == 0)
    #expect(try fixture.store.find("kept")?.config.config.cmd == ["/two"])
    #expect(try fixture.store.find(first.digest) == nil)
    #expect(try soon { try fixture.store.list().allSatisfy { !$0.isInUse } })
    #expect(try fixture.store.remove("kept"))
    #expect(try fixture.store.list() == [])
  }

  @Test func oneOfSeveralNamesGoesWithoutTheImage() throws {
    let fixture = try ImageFixture()
    let digest = try fixture.convert([content]).manifestDigest
    try fixture.store.setName("one", digest)
    try fixture.store.setName("two", digest)
    #expect(try fixture.store.remove("one"))
    #expect(try fixture.store.find("one") == nil)
    #expect(try fixture.store.find("two") != nil)
  }

  @Test func severalWhoWantTheSameImageConvertItOnce() async throws {
    let fixture = try ImageFixture()
    let big = layer((0..<200).map { ("file-\($0)", String(repeating: "x\($0)", count: 5000)) })
    try fixture.writer.index([try fixture.writer.image(layers: [big], packing: .gzip)])
    let reference = fixture.reference
    let data = "\(fixture.folder.path)/data"
    let conversions = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          let seen = Flag()
          _ = try ImageStore(dataDirectory: data)
            .prepare(reference: reference, progress: { _ in seen.raise() })
          return seen.isRaised
        }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(conversions == 1)
    #expect(try fixture.store.list().count == 1)
  }

  @Test func whatAKilledProcessLeftIsRemoved() throws {
    let fixture = try ImageFixture()
    let left = "\(fixture.folder.path)/data/images/tmp/123"
    try FileManager.default.createDirectory(
      atPath: "\(left)/rootfs", withIntermediateDirectories: true)
    try Data([1]).write(to: URL(fileURLWithPath: "\(left)/rootfs/rootfs.erofs"))
    let image = try fixture.convert([content])
    _ = try ImageStore(dataDirectory: "\(fixture.folder.path)/data")
    #expect(!FileManager.default.fileExists(atPath: left))
    #expect(try fixture.store.find(image.manifestDigest) != nil)
  }

  @Test func aRootFileSystemThatWasCutShortIsNoticed() throws {
    let fixture = try ImageFixture()
    let image = try fixture.convert([content])
    let handle = try #require(FileHandle(forWritingAtPath: image.rootfsPath))
    try handle.truncate(atOffset: image.sizeBytes - 1)
    #expect { try fixture.store.find(image.manifestDigest) } throws: {
      ($0 as? ImageError)?.code == .truncated
    }
  }

  @Test func aFullDiskIsNamedAndLeavesNothing() throws {
    guard ProcessInfo.processInfo.userName == "root" else { return }
    let folder = try TemporaryFolder()
    let writer = try OCILayoutWriter("\(folder.path)/layout")
    var tar = TarWriter()
    tar.add("big", content: [UInt8](repeating: 7, count: 3 << 20))
    try writer.index([try writer.image(layers: [tar.finished()])])
    let mount = "\(folder.path)/small"
    try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
    _ = try Command.run(["mount", "-t", "tmpfs", "-o", "size=4m", "arca-test", mount])
    defer { _ = try? Command.run(["umount", "-l", mount]) }
    let store = try ImageStore(dataDirectory: mount)
    #expect { try store.prepare(reference: "oci:\(writer.folder)") } throws: {
      ($0 as? ImageError)?.code == .noSpace
    }
    for name in ["rootfs", "manifests", "tmp"] {
      let left = try FileManager.default.contentsOfDirectory(atPath: "\(mount)/images/\(name)")
      #expect(left == [])
    }
  }
}

/// Whether `condition` holds within two seconds.
///
/// A program that another test starts has this process's descriptors, so its locks as well, for the
/// moment between its fork and its exec.
private func soon(_ condition: () throws -> Bool) rethrows -> Bool {
  for _ in 0..<100 {
    if try condition() { return true }
    usleep(20_000)
  }
  return false
}

/// Remembers that something has happened.
private final class Flag: @unchecked Sendable {
  private let lock = NSLock()
  private var raised = false

  var isRaised: Bool { lock.withLock { raised } }
  func raise() { lock.withLock { raised = true } }
}
