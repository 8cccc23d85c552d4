import ArcaManifest
import ArcaOCI
import ArcaRuntime
import Foundation
import Testing

@Suite struct BundleMountsTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data("text".utf8).write(to: folder.appending(path: "file"))
  }

  private func mount(_ options: String, source: String? = nil) throws -> BundleSpec.Mount {
    try JSONDecoder().decode(
      BundleSpec.Mount.self,
      from: Data(
        """
        {"destination": "/data", "type": "bind", "source": "\(source ?? folder.path)",
         "options": [\(options)]}
        """.utf8))
  }

  private func rules(writes: [String] = [], shares: [String] = []) -> HostRules {
    var rules = HostRules()
    rules.writeFiles = writes
    rules.shareFolders = shares
    return rules
  }

  @Test func aFolderIsSharedWhereARuleSaysSo() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let mounts = try BundleMounts(
      [try mount(#""rbind", "ro""#), try mount(#""bind""#)], rules: rules(shares: ["/data"]),
      isDerived: false)
    #expect(mounts.files.isEmpty)
    #expect(mounts.folders.map(\.path) == ["/data", "/data"])
    #expect(mounts.folders.map(\.shared.source) == [folder.path, folder.path])
    #expect(mounts.folders.map(\.shared.isReadOnly) == [true, false])
    #expect(mounts.folders.map(\.shared.isRecursive) == [true, false])
  }

  @Test func itsFilesAreCopiedWhereARuleSaysThat() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let mounts = try BundleMounts(
      [try mount(#""rbind""#)], rules: rules(writes: ["/data/*"]), isDerived: false)
    #expect(mounts.folders.isEmpty)
    #expect(mounts.files.map(\.path) == ["/data/file"])
  }

  @Test(arguments: [[], ["/data/*"], ["/dat"], ["/other"]])
  func withoutARuleItIsRefused(shares: [String]) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let error = #expect(throws: RuntimeError.self) {
      try BundleMounts([try mount(#""rbind""#)], rules: rules(shares: shares), isDerived: true)
    }
    #expect(error?.code == .manifest)
  }

  /// Docker and podman, then containerd; those with a name were asked for by somebody.
  @Test func volumesThatEnginesMakeByThemselvesAreLeftOut() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let name = String(repeating: "0a", count: 32)
    for source in ["/engine/volumes/\(name)/_data", "/engine/containers/1/volumes/\(name)"] {
      let mounts = try BundleMounts(
        [try mount(#""rbind""#, source: source)], rules: rules(), isDerived: true)
      #expect(mounts.files.isEmpty && mounts.folders.isEmpty)
    }
    for source in ["/engine/volumes/data/_data", "/engine/\(name)/_data", "/volumes/\(name)0"] {
      #expect(throws: RuntimeError.self) {
        try BundleMounts(
          [try mount(#""rbind""#, source: source)], rules: rules(), isDerived: true)
      }
    }
  }
}
