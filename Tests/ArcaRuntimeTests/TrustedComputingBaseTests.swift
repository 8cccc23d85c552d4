import ArcaRuntime
import ArcaWire
import Foundation
import Testing

@Suite struct TrustedComputingBaseTests {
  /// docs/specification.md, "Wire protocol": what the host may send.
  @Test func theMessagesOfTheHostAreFoundFromTheirFrames() {
    #expect(
      HostMessage.names == [
        "brokerData", "brokerEnd", "brokerFailed", "brokerOpened", "credit", "evidence", "execute",
        "hostInput", "input", "inputEnd", "manifest", "signal", "start", "windowSize",
      ])
  }

  @Test func anArchivesFilesAreListedAndACutOneIsRefused() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data("text".utf8).write(to: folder.appending(path: "file"))
    try Data(count: 5).write(to: folder.appending(path: "other"))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "printf 'file\\nother\\n' | cpio -o -H newc --quiet > archive"]
    process.currentDirectoryURL = folder
    try process.run()
    process.waitUntilExit()
    let archive = [UInt8](try Data(contentsOf: folder.appending(path: "archive")))
    let files = try TrustedComputingBase.files(ofArchive: archive)
    #expect(files.map(\.name) == ["file", "other"])
    #expect(files.map(\.bytes) == [4, 5])
    #expect(
      files[0].sha256 == "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1")
    for count in [0, 50, 110, 120, 200] {
      let error = #expect(throws: RuntimeError.self) {
        try TrustedComputingBase.files(ofArchive: Array(archive.prefix(count)))
      }
      #expect(error?.code == .installation)
    }
  }

  /// SPDX 2.3, clauses 6, 7 and 11: what an entry must have, and no reference is left hanging.
  @Test func theDocumentHasWhatSPDXDemands() throws {
    let digest = String(repeating: "a", count: 64)
    let json = """
      {"tee": "sim-snp", "simulated": true, "arcaVersion": "1", "workloadDigest": "\(digest)",
       "booted": [{"name": "vmlinux", "bytes": 1, "sha256": "\(digest)"}], "kernelCommandLine": "",
       "initrd": [{"name": "init", "bytes": 1, "sha256": "\(digest)"}], 
       "linesOfCode": {"A": 2, "B": 3},
       "packages": [{"name": "mbedtls", "version": "3", "sha256": "\(digest)"}], "hostMessages": [],
       "devices": [], "image": {"rootHash": "\(digest)", "bytes": 9,
       "files": [{"name": "/bin/sh", "bytes": 1, "sha256": "\(digest)"}]}}
      """
    let base = try JSONDecoder().decode(TrustedComputingBase.self, from: Data(json.utf8))
    #expect(base.linesOfCodeInAll == 5)
    let document = base.spdx(created: Date(timeIntervalSince1970: 0))
    #expect(document.spdxVersion == "SPDX-2.3")
    #expect(document.dataLicense == "CC0-1.0")
    #expect(document.SPDXID == "SPDXRef-DOCUMENT")
    #expect(document.creationInfo.created == "1970-01-01T00:00:00Z")
    #expect(document.creationInfo.creators == ["Tool: arca-1"])
    let names = document.packages.map(\.SPDXID)
    #expect(Set(names).count == names.count)
    #expect(document.packages.map(\.name).contains("/bin/sh"))
    #expect(document.packages.count == 6)
    for package in document.packages {
      #expect(package.SPDXID.wholeMatch(of: /SPDXRef-[A-Za-z0-9.-]+/) != nil)
      #expect(package.primaryPackagePurpose == nil || package.checksums?.first != nil)
    }
    for relation in document.relationships {
      #expect((names + ["SPDXRef-DOCUMENT"]).contains(relation.spdxElementId))
      #expect(names.contains(relation.relatedSpdxElement))
    }
    #expect(document.relationships.count == document.packages.count)
  }
}
