import ArcaImage
import Foundation
import Testing

@Suite struct EngineAccountsTests {
  private let passwd = "root:x:0:0:root:/root:/bin/sh\n"
  private let group = "root:x:0:\n"

  @Test(arguments: [
    ("1000:*:1000:0:container user:/:/bin/sh\n", true),
    ("1000:*:1000:7:container user:/srv:/bin/sh\n", true),
    ("", false), ("1000:*:1000:0:container user:/:/bin/sh", false),
    ("0:*:1000:0:container user:/:/bin/sh\n", false),
    ("web:*:1000:0:container user:/:/bin/sh\n", false),
    ("1000:x:1000:0:container user:/:/bin/sh\n", false),
    ("1000:*:1000:0:another:/:/bin/sh\n", false),
    ("1000:*:1000:0:container user:/:/bin/sh\nb:*:0:0:::\n", false),
  ])
  func podmansLineAloneIsTakenOut(line: String, expected: Bool) {
    #expect(
      EngineAccounts.isAdded(
        Array((passwd + line).utf8), to: Array(passwd.utf8), in: "/etc/passwd") == expected)
    #expect(!EngineAccounts.isAdded(Array(line.utf8), to: Array(passwd.utf8), in: "/etc/passwd"))
    #expect(
      !EngineAccounts.isAdded(Array((group + line).utf8), to: Array(group.utf8), in: "/etc/group"))
  }

  @Test func layersFilesAreRestoredWithTheirTimes() throws {
    let work = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: work) }
    func write(_ layer: String, _ name: String, _ text: String) throws {
      let folder = work.appending(path: layer + "/etc")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: folder.appending(path: name))
    }
    try write("upper", "passwd", passwd + "1000:*:1000:0:container user:/:/bin/sh\n")
    try write("upper", "group", group + "1000:x:1000:1000\nmore:x:1:\n")
    try write("one", "group", group)
    try write("two", "passwd", passwd)
    try write("three", "passwd", "")
    let below = work.appending(path: "two/etc/passwd").path
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1_000)], ofItemAtPath: below)
    let accounts = EngineAccounts(
      upper: work.appending(path: "upper").path,
      lower: ["one", "two", "three"].map { work.appending(path: $0).path })
    #expect(accounts.layersFiles == ["/etc/passwd": below])
    let (etc, name) = (Array("etc".utf8), Array("passwd".utf8))
    let changed = FileNode(.file(byteCount: 9, extents: []), permissions: 0o600, modified: 7)
    let folder = FileNode(.directory([name: changed]), permissions: 0o755)
    let root = FileNode(.directory([etc: folder]), permissions: 0o755)
    try accounts.restore(in: root)
    let node = try #require(root.children?[etc]?.children?[name])
    #expect(node.modified == 1_000)
    guard case .file(let bytes, _) = node.content else { throw CancellationError() }
    #expect(bytes == UInt64(passwd.utf8.count))
  }
}
