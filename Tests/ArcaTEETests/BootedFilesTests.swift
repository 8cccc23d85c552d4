import ArcaTEE
import Foundation
import Testing

@Suite("The simulated launch digest")
struct BootedFilesTests {
  /// A guest and firmware of a few bytes, in a folder of their own.
  private func folder() throws -> String {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    for path in BootedFiles.firmwarePaths + ["/guest/vmlinux", "/guest/initrd", "/guest/cmdline"] {
      let file = URL(fileURLWithPath: folder + path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      // Firmware ends at 4 GiB, so it is whole pages.
      let content = Data("content of \(path)".utf8)
      let padding = path.hasPrefix("/guest") ? 0 : 4096 - content.count
      try (content + Data(count: padding)).write(to: file)
    }
    return folder
  }

  private func digest(_ folder: String, vcpus: Int = 1) throws -> [UInt8] {
    try BootedFiles(guest: folder + "/guest", firmwareRoot: folder).launchDigest(vcpus: vcpus)
  }

  @Test(
    "Every file that is booted counts, and the number of processors",
    arguments: BootedFiles.firmwarePaths + ["/guest/vmlinux", "/guest/initrd", "/guest/cmdline"])
  func sensitivity(path: String) throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let before = try digest(folder)
    #expect(before.count == 48)
    #expect(try digest(folder) == before)
    #expect(try digest(folder, vcpus: 2) != before)
    let file = URL(fileURLWithPath: folder + path)
    let content = try Data(contentsOf: file)
    try (content.dropLast() + Data([1])).write(to: file)
    #expect(try digest(folder) != before)
  }

  @Test("A changed kernel, initrd or command line is named")
  func check() throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let files = { try BootedFiles(guest: folder + "/guest", firmwareRoot: folder) }
    let expected = try files().digests
    for (name, code): (String, TEEError.Code) in [
      ("vmlinux", .kernelChanged), ("initrd", .initrdChanged), ("cmdline", .commandLineChanged),
    ] {
      let file = URL(fileURLWithPath: "\(folder)/guest/\(name)")
      let content = try Data(contentsOf: file)
      try (content + Data([1])).write(to: file)
      do {
        try files().check(expected)
        Issue.record("a changed \(name) was accepted")
      } catch let error as TEEError {
        #expect(error.code == code)
      }
      try content.write(to: file)
    }
    try files().check(expected)
  }
}
