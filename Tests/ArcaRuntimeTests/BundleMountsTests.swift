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

  /// As podman 5 does it, between `create` and `start`.
  @Test func whatAnEngineWritesLaterIsRead() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let hosts = folder.appending(path: "hosts")
    try Data().write(to: hosts)
    let engines = try JSONDecoder().decode(
      BundleSpec.Mount.self,
      from: Data(
        #"{"destination": "/etc/hosts", "type": "bind", "source": "\#(hosts.path)"}"#.utf8))
    let all = [engines, try mount(#""rbind""#)]
    let files = try BundleMounts(all, rules: rules(writes: ["/data/*"]), isDerived: false).files
    try Data("10.0.0.1 name".utf8).write(to: hosts)
    try Data("changed".utf8).write(to: folder.appending(path: "file"))
    let renewed = try BundleMounts.renewed(files, by: all)
    #expect(renewed.map(\.path) == files.map(\.path))
    for (file, before) in zip(renewed, files) {
      #expect(
        file.content == (file.path == "/etc/hosts" ? Array("10.0.0.1 name".utf8) : before.content))
    }
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
