import Foundation

/// apt with sources and lists of its own.
struct PrivateApt {
  private static let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

  let options: [String]

  init(cache: URL, site: String, suite: String) throws(BuildError) {
    let state = cache.appending(path: "apt-\(suite)")
    for folder in ["lists/partial", "cache/archives/partial"] {
      try Disk.makeFolder(state.appending(path: folder))
    }
    let sources = state.appending(path: "sources.list")
    try Disk.write(
      Data(
        ["deb", "deb-src"].map { "\($0) [signed-by=\(Self.keyring)] \(site) \(suite) main\n" }
          .joined().utf8), to: sources)
    options = [
      "-q", "-o", "Dir::Etc::sourcelist=\(sources.path)", "-o", "Dir::Etc::sourceparts=-",
      "-o", "Dir::State::Lists=\(state.path)/lists", "-o", "Dir::Cache=\(state.path)/cache",
      "-o", "APT::Sandbox::User=root",
    ]
    _ = try Tool.run(["apt-get"] + options + ["update"])
  }

  /// The names that the newest version of `package` depends on; none where it does not exist.
  func dependencies(of package: String) throws(BuildError) -> [String] {
    guard
      let record = try? Tool.text(["apt-cache"] + options + ["show", "--no-all-versions", package])
    else { return [] }
    var names: [String] = []
    for line in record.split(separator: "\n") where line.hasPrefix("Depends: ") {
      for part in line.dropFirst("Depends: ".count).split(separator: ",") {
        names += part.split(separator: " ").prefix(1).map(String.init)
      }
    }
    return names
  }

  /// The mirror of Debian's own archive that the system uses.
  static func mirror() throws(BuildError) -> String {
    let format = "$(ORIGIN)|$(LABEL)|$(SITE)"
    let lines = try Tool.text([
      "apt-get", "indextargets", "--format", format, "Created-By: Packages",
    ])
    for line in lines.split(separator: "\n") {
      let fields = line.split(separator: "|", omittingEmptySubsequences: false)
      if fields.count == 3, fields[0] == "Debian", fields[1] == "Debian" {
        return String(fields[2])
      }
    }
    throw BuildError(
      .package,
      "the system's package sources name no Debian archive: run apt-get update, "
        + "or give the packages with --kernel-deb")
  }

  /// Fetches packages into `cache`.
  func download(_ packages: [String], into cache: URL) throws(BuildError) -> [URL] {
    try fetch(["download"] + packages, into: cache).filter { $0.pathExtension == "deb" }
  }

  /// Fetches a source package into `cache`: its `.dsc` and what that lists.
  func downloadSource(_ package: String, into cache: URL) throws(BuildError) -> [URL] {
    try fetch(["source", "--download-only", package], into: cache)
  }

  private func fetch(_ command: [String], into cache: URL) throws(BuildError) -> [URL] {
    let folder = cache.appending(path: UUID().uuidString)
    try Disk.makeFolder(folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    _ = try Tool.run(["apt-get"] + options + command, in: folder)
    var kept: [URL] = []
    for file in Disk.find(folder, { _ in true }) {
      let target = cache.appending(path: file.lastPathComponent)
      try? FileManager.default.removeItem(at: target)
      do {
        try FileManager.default.moveItem(at: file, to: target)
      } catch {
        throw BuildError(.file, "\(target.path) could not be written: \(error)")
      }
      kept.append(target)
    }
    return kept.sorted { $0.path < $1.path }
  }
}
