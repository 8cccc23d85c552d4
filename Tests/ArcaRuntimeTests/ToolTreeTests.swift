import ArcaRuntime
import Foundation
import Testing

@Suite("The tree of tools")
struct ToolTreeTests {
  private let base = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  private let record = """
    {"suite": "forky", "packages": [{"file": "qemu_1.deb", "sha256": "00"}],
     "loader": "usr/lib/ld.so", "libraries": ["usr/lib"]}
    """

  private func write(_ path: String, _ text: String) throws {
    let file = base.appending(path: path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try text.write(to: file, atomically: true, encoding: .utf8)
  }

  private func makeWhole() throws {
    try write("tree-a/tools.json", record)
    try write("tree-a/usr/bin/qemu-system-x86_64", "")
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755],
      ofItemAtPath: base.appending(path: "tree-a/usr/bin/qemu-system-x86_64").path)
    try write("index", "tree-a")
  }

  @Test("A tree that is named and whole is in use, and not fetched again")
  func whole() throws {
    try makeWhole()
    let tree = ToolTree(base: base.path)
    #expect(tree.current?.record.suite == "forky")
    var steps: [String] = []
    #expect(try tree.fetch { steps.append($0) }.folder == base.path + "/tree-a")
    #expect(steps == [])
  }

  /// What a crash at any moment of fetching can leave behind.
  @Test("A tree that is not named or not whole is not used")
  func crashes() throws {
    #expect(ToolTree(base: base.path).current == nil)
    try makeWhole()
    for path in ["index", "tree-a/tools.json", "tree-a/usr/bin/qemu-system-x86_64"] {
      let file = base.appending(path: path)
      let aside = base.appending(path: "aside")
      try FileManager.default.moveItem(at: file, to: aside)
      #expect(ToolTree(base: base.path).current == nil, "without \(path)")
      try FileManager.default.moveItem(at: aside, to: file)
    }
    try write("tree-a/tools.json", "{}")
    #expect(ToolTree(base: base.path).current == nil)
  }
}
