import ArcaTestSupport
import Foundation
import Testing

/// What happens between processes, so with the program itself.
@Suite struct ImageProcessTests {
  private let folder: TemporaryFolder
  private let reference: String

  init() throws {
    folder = try TemporaryFolder()
    let writer = try OCILayoutWriter("\(folder.path)/layout")
    var tar = TarWriter()
    for number in 0..<40 {
      tar.add(
        "file-\(number)", content: (0..<500_000).map { UInt8(truncatingIfNeeded: $0 ^ number) })
    }
    try writer.index([try writer.image(layers: [tar.finished()], packing: .gzip)])
    reference = "oci:\(writer.folder)"
  }

  private static let program = URL(fileURLWithPath: CommandLine.arguments[0])
    .deletingLastPathComponent().appendingPathComponent("arca").path

  private func start(_ data: String) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.program)
    process.arguments = ["image", "import", "--quiet", reference]
    process.environment = ProcessInfo.processInfo.environment.merging(["ARCA_DATA": data]) { $1 }
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    return process
  }

  private func rootHash(_ data: String) throws -> String {
    let json = try Command.run(
      [Self.program, "image", "list", "--json"], environment: ["ARCA_DATA": data])
    let listings = try #require(
      try JSONSerialization.jsonObject(with: Data(json)) as? [[String: Any]])
    #expect(listings.count == 1)
    return try #require(listings.first?["rootHash"] as? String)
  }

  @Test func afterAKillAtAnyMomentTheNextCommandSucceedsAndNothingIsLeft() throws {
    let reference = "\(folder.path)/reference"
    try start(reference).waitUntilExit()
    let expected = try rootHash(reference)
    let data = "\(folder.path)/killed"
    var interrupted = 0
    for attempt in 0..<15 {
      let process = try start(data)
      usleep(UInt32(attempt * 12_000))
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      if process.terminationReason == .uncaughtSignal { interrupted += 1 }
      let images = "\(data)/images"
      for key in (try? FileManager.default.contentsOfDirectory(atPath: "\(images)/rootfs")) ?? [] {
        let made = try FileManager.default.contentsOfDirectory(atPath: "\(images)/rootfs/\(key)")
        #expect(made.sorted() == ["group", "passwd", "rootfs.erofs", "rootfs.json"])
      }
      if attempt % 3 == 2 { try? FileManager.default.removeItem(atPath: "\(images)/rootfs") }
    }
    #expect(interrupted > 0)
    try start(data).waitUntilExit()
    #expect(try rootHash(data) == expected)
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(data)/images/tmp") == [])
  }

  @Test func processesThatConvertTheSameImageAtOnceDoNotDisturbEachOther() throws {
    let data = "\(folder.path)/shared"
    let processes = try (0..<4).map { _ in try start(data) }
    for process in processes { process.waitUntilExit() }
    #expect(processes.map(\.terminationStatus) == [0, 0, 0, 0])
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(data)/images/rootfs").count == 1)
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(data)/images/tmp") == [])
  }

  @Test func neitherFolderNorTimeZoneNorUmaskNorUserChangesOneByte() throws {
    let base = folder.path
    let other = String(repeating: "a-longer-folder/", count: 5)
    var hashes: Set<String> = []
    var commands = [
      ["env", "TZ=Asia/Tokyo", "LC_ALL=C", "ARCA_DATA=\(base)/1"],
      ["env", "TZ=America/New_York", "ARCA_DATA=\(base)/\(other)"],
      ["env", "ARCA_DATA=\(base)/3", "sh", "-c", "umask 077; exec \"$@\"", "sh"],
    ]
    if getuid() == 0 {
      _ = try Command.run(["install", "-d", "-m", "777", "\(base)/4"])
      // The program itself must be reachable for the other user.
      _ = try Command.run(["install", "-m", "755", Self.program, "\(base)/arca"])
      commands.append([
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env",
        "ARCA_DATA=\(base)/4/data",
      ])
    }
    for command in commands {
      let program = command.first == "setpriv" ? "\(base)/arca" : Self.program
      _ = try Command.run(command + [program, "image", "import", "--quiet", reference])
      let json = try Command.run(command + [program, "image", "list", "--json"])
      let found = try #require(
        try JSONSerialization.jsonObject(with: Data(json)) as? [[String: Any]])
      hashes.insert(try #require(found.first?["rootHash"] as? String))
    }
    #expect(hashes.count == 1)
  }

  @Test func theCommandsDoWhatTheySay() throws {
    let environment = ["ARCA_DATA": "\(folder.path)/commands"]
    func arca(_ arguments: String...) throws -> String {
      let output = try Command.run(
        [Self.program, "image"] + arguments, environment: environment)
      return String(decoding: output, as: UTF8.self)
    }
    let digest = try arca("import", "-q", "--name", "test", reference)
      .trimmingCharacters(in: .newlines)
    #expect(try arca("list").contains("test:latest"))
    let inspected = try arca("inspect", "test")
    #expect(inspected.contains(digest))
    #expect(inspected.contains("\"hashStartBlock\""))
    #expect(throws: Command.Failure.self) { try arca("inspect", "other") }
    #expect(try arca("remove", "test", "absent") == "test\n")
    #expect(try arca("list", "--json") == "[\n\n]\n")
    _ = try arca("import", "-q", reference)
    #expect(try arca("prune").hasPrefix("freed 2"))
    #expect(throws: Command.Failure.self) { try arca("import", "-q", "oci:/nowhere") }
  }
}
