import Foundation

/// The Debian packages that one kernel comes in.
struct DebianKernel {
  /// Suites in which a kernel with SNP and TDX guest support may be, the preferred one first.
  private static let suites = ["trixie-backports", "forky", "sid"]
  private static let metaPackage = "linux-image-cloud-amd64"
  /// Names the packages that were chosen, one file name a line.
  private static let selection = "kernel-packages"

  let packages: [URL]

  /// Takes packages that are already there.
  init(packages: [URL]) {
    self.packages = packages
  }

  /// Takes the packages kept in `cache`, or fetches the newest kernel into it.
  ///
  /// The system's own package sources and lists stay as they are.
  init(cache: URL, refresh: Bool) throws(BuildError) {
    try Disk.makeFolder(cache)
    let selection = cache.appending(path: Self.selection)
    if !refresh, let names = try? String(contentsOf: selection, encoding: .utf8) {
      let kept = names.split(separator: "\n").map { cache.appending(path: String($0)) }
      if !kept.isEmpty, kept.allSatisfy({ FileManager.default.fileExists(atPath: $0.path) }) {
        packages = kept
        return
      }
    }
    packages = try Self.fetch(into: cache)
    let names = packages.map { $0.lastPathComponent + "\n" }.joined()
    try Disk.write(Data(names.utf8), to: selection)
  }

  private static func fetch(into cache: URL) throws(BuildError) -> [URL] {
    let site = try mirror()
    for suite in suites {
      let apt = try PrivateApt(cache: cache, site: site, suite: suite)
      guard let image = try apt.dependencies(of: metaPackage).first(where: isImage) else {
        continue
      }
      // Newer packages are empty and depend on the parts; older ones hold all.
      let parts = try apt.dependencies(of: image).filter {
        $0.hasPrefix("linux-binary-") || $0.hasPrefix("linux-modules-")
      }
      return try apt.download(parts.isEmpty ? [image] : parts, into: cache)
    }
    throw BuildError(
      .package, "none of \(suites.joined(separator: ", ")) on \(site) has \(metaPackage)")
  }

  private static func isImage(_ package: String) -> Bool {
    package.hasPrefix("linux-image-") && package != metaPackage
  }

  /// The mirror of Debian's own archive that the system uses.
  private static func mirror() throws(BuildError) -> String {
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
}

/// apt with sources and lists of its own.
private struct PrivateApt {
  private static let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

  let options: [String]

  init(cache: URL, site: String, suite: String) throws(BuildError) {
    let state = cache.appending(path: "apt-\(suite)")
    for folder in ["lists/partial", "cache/archives/partial"] {
      try Disk.makeFolder(state.appending(path: folder))
    }
    let sources = state.appending(path: "sources.list")
    try Disk.write(
      Data("deb [signed-by=\(Self.keyring)] \(site) \(suite) main\n".utf8), to: sources)
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

  func download(_ packages: [String], into cache: URL) throws(BuildError) -> [URL] {
    let folder = cache.appending(path: UUID().uuidString)
    try Disk.makeFolder(folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    _ = try Tool.run(["apt-get"] + options + ["download"] + packages, in: folder)
    var kept: [URL] = []
    for file in Disk.find(folder, { $0.hasSuffix(".deb") }) {
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
