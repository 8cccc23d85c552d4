import ArcaRuntime
import Foundation
import Testing

@Suite("Where Arca's files are")
struct InstallationTests {
  @Test("A guest without a release, or with a broken one, is refused")
  func release() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let guest = folder.appending(path: "guest")
    try FileManager.default.createDirectory(at: guest, withIntermediateDirectories: true)
    let installation = Installation(environment: ["ARCA_LIB": folder.path])
    let digest = String(repeating: "ab", count: 32)
    let whole = ["vmlinux", "initrd", "cmdline"].map { "\"\($0)\":{\"sha256\":\"\(digest)\"}" }
    for content in [nil, "", "{\"files\":{}}", "{\"files\":{\(whole[0])}}"] as [String?] {
      if let content {
        try Data(content.utf8).write(to: guest.appending(path: "release.json"))
      }
      do {
        _ = try installation.guestDigests(for: .simulatedSNP)
        Issue.record("\(content ?? "nothing") was accepted")
      } catch {
        #expect(error.code == .installation)
      }
    }
    let release = """
      {"files": {\(whole.joined(separator: ","))}, "modules": [], "kernelPackages": [],
       "sourcePackages": [], "linesOfCode": {}}
      """
    try Data(release.utf8).write(to: guest.appending(path: "release.json"))
    #expect(
      try installation.guestDigests(for: .simulatedSNP).kernel
        == [UInt8](repeating: 0xab, count: 32))
  }

  @Test("A name that no container has is said to be one")
  func notFound() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let store = try ContainerStore(Installation(environment: ["ARCA_STATE": folder]))
    #expect(store.list().isEmpty)
    do {
      _ = try store.find("nobody")
      Issue.record("a container was found in an empty store")
    } catch {
      #expect(error.code == .notFound)
    }
  }
}
