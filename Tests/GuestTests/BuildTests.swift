import Foundation
import Testing

extension GuestTests {
  /// The guest's files depend on nothing but their sources.
  @Suite struct BuildTests {
    @Test func anotherFolderGivesTheSameFiles() throws {
      let package = GuestMachine.package
      let copy = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
      defer { try? FileManager.default.removeItem(at: copy) }
      try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
      for name in ["Package.swift", "Sources", "guest"] {
        try run(["cp", "-r", package.appending(path: name).path, copy.path])
      }
      let out = copy.appending(path: "out")
      let tool = package.appending(path: ".build/release/arca-guest-build").path
      let swift = ProcessInfo.processInfo.environment["PATH"] ?? ""
      try run(["PATH=\(swift)", tool, "--package", copy.path, "--output", out.path])
      let first = package.appending(path: "out/lib/arca/guest")
      let names = ["arca-init", "cmdline", "initrd", "release.json", "vmlinux", "vmlinuz"]
      #expect(try FileManager.default.contentsOfDirectory(atPath: out.path).sorted() == names)
      for name in names {
        let (one, other) = (first.appending(path: name), out.appending(path: name))
        #expect(try Data(contentsOf: one) == Data(contentsOf: other), "\(name)")
      }
    }
  }
}
