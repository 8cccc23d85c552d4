import ArcaImage
import ArcaRuntime
import ArcaTEE
import Foundation
import Testing

/// Files of a root, the n-th with a hash of 32 times n.
func rootFiles(_ paths: String...) throws -> [RootFile] {
  let json = paths.enumerated().map { index, path -> [String: Any] in
    ["path": path, "byteCount": 1, "sha256": [Int](repeating: index, count: 32)]
  }
  return try JSONDecoder().decode(
    [RootFile].self, from: JSONSerialization.data(withJSONObject: json))
}

@Suite struct LinkTreeTests {
  private let tree = LinkTree(
    links: [
      "/bin": "usr/bin", "/usr/bin/sh": "dash", "/etc/alternatives/awk": "/usr/bin/mawk",
      "/usr/bin/awk": "../../etc/alternatives/awk", "/usr/bin/X11": ".", "/a": "b", "/b": "/a",
      "/up": "../../../usr/bin/dash", "/var/run": "/run", "/var/lock": "/run/lock",
      "/var/gone": "/run/gone", "/usr/lib/one": "two", "/lib": "usr/lib", "/broken": "nothing",
      "/tmp/kept": "/usr/bin/dash",
    ],
    folders: [
      "/usr", "/usr/bin", "/etc", "/etc/alternatives", "/var", "/run", "/run/lock", "/usr/lib",
      "/usr/lib/two", "/tmp",
    ])

  private let files: [RootFile]

  init() throws { files = try rootFiles("/usr/bin/dash", "/usr/bin/mawk", "/usr/lib/two/x") }

  @Test func pathsLeadWhereTheKernelWouldGoInTheRoot() {
    let cases: [(String, String, Bool)] = [
      ("/bin/sh", "/usr/bin/dash", false), ("/bin/awk", "/usr/bin/mawk", true),
      ("/usr/bin/X11/X11/sh", "/usr/bin/dash", false), ("/up", "/usr/bin/dash", true),
      ("/var/run/x", "/run/x", true), ("/", "/", false), ("/usr/./lib/../bin", "/usr/bin", false),
    ]
    for (path, end, leaves) in cases {
      #expect(tree.place(of: path) == LinkTree.Place(path: end, leavesRoot: leaves), "\(path)")
    }
    #expect(tree.place(of: "/a") == nil)
  }

  @Test func linksBecomeFilesMountsAndMemory() throws {
    let links = try EnclaveLinks(tree, files: files, apartFrom: ["/run", "/tmp"])
    #expect(
      links.files == [TrustedFiles.File(path: "/usr/bin/sh", sha256: files[0].sha256)])
    #expect(
      links.mounts == [
        "/bin": "/usr/bin", "/lib": "/usr/lib", "/usr/lib/one": "/usr/lib/two",
        "/lib/one": "/usr/lib/two", "/etc/alternatives/awk": "/usr/bin/mawk",
        "/usr/bin/awk": "/usr/bin/mawk", "/bin/awk": "/usr/bin/mawk", "/up": "/usr/bin/dash",
      ])
    #expect(links.temporaries == ["/var/lock", "/var/run"])
  }

  @Test func tooManyMountsAreRefused() {
    // Each of these folders shows the links of the next one again.
    var links: [String: String] = [:]
    var folders: Set<String> = []
    for level in 0..<8 {
      folders.insert("/d\(level)")
      for name in ["p", "q", "r", "s"] where level < 7 {
        links["/d\(level)/\(name)"] = "/d\(level + 1)"
      }
    }
    let error = #expect(throws: RuntimeError.self) {
      try EnclaveLinks(LinkTree(links: links, folders: folders), files: [], apartFrom: [])
    }
    #expect(error?.code == .unsupported)
  }

  @Test func aFoldersLinksAreRead() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let manager = FileManager.default
    try manager.createDirectory(
      at: folder.appending(path: "usr/bin"), withIntermediateDirectories: true)
    try manager.createSymbolicLink(
      atPath: folder.path + "/bin", withDestinationPath: "usr/bin")
    try manager.createSymbolicLink(
      atPath: folder.path + "/usr/bin/gone", withDestinationPath: "/nowhere")
    try Data("x".utf8).write(to: folder.appending(path: "usr/bin/file"))
    let found = try LinkTree(of: folder.path)
    #expect(found.links == ["/bin": "usr/bin", "/usr/bin/gone": "/nowhere"])
    #expect(found.folders == ["/usr", "/usr/bin"])
  }
}
