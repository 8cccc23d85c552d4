import ArcaRuntime
import Foundation
import Testing

/// What is left of containers by processes that were killed, and by disks that fail.
@Suite struct ContainerSweepTests {
  let state = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
  var installation: Installation {
    Installation(environment: ["ARCA_STATE": state, "ARCA_DATA": state + "/data"])
  }

  func make(_ path: String) throws {
    try FileManager.default.createDirectory(
      atPath: "\(state)/\(path)", withIntermediateDirectories: true)
  }

  func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(state)/\(path)")
  }

  @Test func unfinishedAndHalfRemovedOnesAreSwept() throws {
    defer { try? FileManager.default.removeItem(atPath: state) }
    for name in [".new-0123", ".old-4567", "89ab"] { try make("containers/\(name)/job") }
    #expect(try ContainerStore(installation).list().isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: state + "/containers").isEmpty)
  }

  @Test func oneThatIsBeingMadeIsLeftAlone() throws {
    defer { try? FileManager.default.removeItem(atPath: state) }
    try make("containers/.new-0123/job")
    _ = FileManager.default.createFile(atPath: state + "/lock", contents: nil)
    let lock = try #require(FileHandle(forUpdatingAtPath: state + "/lock"))
    #expect(flock(lock.fileDescriptor, LOCK_EX) == 0)
    _ = try ContainerStore(installation)
    #expect(exists("containers/.new-0123/job"))
    try lock.close()
    _ = try ContainerStore(installation)
    #expect(!exists("containers/.new-0123"))
  }

  @Test func oneThatCannotBeReadNowIsKept() throws {
    defer { try? FileManager.default.removeItem(atPath: state) }
    // A folder cannot be read as a file, however often.
    try make("containers/0123/record")
    #expect(try ContainerStore(installation).list().isEmpty)
    #expect(exists("containers/0123/record"))
  }

  @Test(.enabled(if: geteuid() == 0 && FileManager.default.fileExists(atPath: "/usr/bin/crun")))
  func anEnginesDeleteTakesWhatAnEarlierOneLeft() throws {
    defer { try? FileManager.default.removeItem(atPath: state) }
    try make("engine/box/job")
    try make("engine/.old-box/job")
    let line = try OCICommandLine(["--root", state + "/engine", "delete", "--force", "box"])
    try OCIStore(line, installation).delete("box", force: true)
    #expect(!exists("engine/box") && !exists("engine/.old-box"))
  }
}
