import Foundation

/// The Debian packages that one kernel comes in.
struct DebianKernel {
  /// Suites in which a kernel with SNP and TDX guest support may be, the preferred one first.
  static let suites = ["trixie-backports", "forky", "sid"]
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
    let site = try PrivateApt.mirror()
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
}
