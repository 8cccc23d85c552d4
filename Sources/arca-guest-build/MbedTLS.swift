import Foundation

/// Mbed TLS, from Debian's source package: its headers for arca-init, and the library to link.
///
/// Debian's own library is built for glibc and with everything switched on.
struct MbedTLS {
  /// The suite whose package is a long-term branch with TLS 1.3.
  private static let suite = "trixie"
  private static let package = "mbedtls"
  /// Nothing unwinds arca-init's stack, so it carries no tables for that.
  private static let options = [
    "-c", "-std=c99", "-Os", "-ffunction-sections", "-fdata-sections",
    "-fno-asynchronous-unwind-tables",
  ]

  /// The package as it came: the `.dsc`, which names the SHA-256 of the rest.
  let description: URL

  /// Takes the package kept in `cache`, or fetches the suite's newest into it.
  init(cache: URL, refresh: Bool) throws(BuildError) {
    try Disk.makeFolder(cache)
    let kept = Disk.find(cache) { $0.hasPrefix("\(Self.package)_") && $0.hasSuffix(".dsc") }
    if !refresh, let newest = kept.max(by: { $0.lastPathComponent < $1.lastPathComponent }) {
      description = newest
      return
    }
    let apt = try PrivateApt(cache: cache, site: try PrivateApt.mirror(), suite: Self.suite)
    let files = try apt.downloadSource(Self.package, into: cache)
    guard let found = files.first(where: { $0.pathExtension == "dsc" }) else {
      throw BuildError(.package, "\(Self.suite) has no source package \(Self.package)")
    }
    description = found
  }

  /// What release.json says about it.
  func releasePackage() throws(BuildError) -> Release.Package {
    let name = description.deletingPathExtension().lastPathComponent
    return Release.Package(
      name: Self.package, version: String(name.dropFirst(Self.package.count + 1)),
      sha256: Release.digest(try Disk.read(description)))
  }

  /// Unpacks the sources into `folder`, refusing files that the `.dsc` does not vouch for, and
  /// compiles them by `configuration` into `libmbedtls.a`, where that has not been done before.
  ///
  /// - Returns: the folder of the sources, with `include` in it.
  func build(in folder: URL, configuration: URL) throws(BuildError) -> URL {
    let sources = folder.appending(path: "mbedtls")
    let objects = folder.appending(path: "mbedtls-objects")
    let stamp = folder.appending(path: "mbedtls-stamp")
    let digests = [
      Release.digest(try Disk.read(description)), Release.digest(try Disk.read(configuration)),
    ]
    let inputs = Data((digests + Self.options).joined(separator: " ").utf8)
    if (try? Disk.read(stamp)) == inputs { return sources }
    for old in [stamp, sources, objects] { try? FileManager.default.removeItem(at: old) }
    try Disk.makeFolder(objects)
    // Quiet: apt has verified the archive's signature, and it complains of a maintainer's that only
    // a large keyring could check.
    _ = try Tool.run(
      [
        "dpkg-source", "--require-strong-checksums", "-x", description.path, sources.path,
      ], isQuiet: true)
    let library = sources.appending(path: "library")
    let files = Disk.find(library) { $0.hasSuffix(".c") }.map(\.path).sorted()
    let places = [
      "-DMBEDTLS_CONFIG_FILE=\"\(configuration.path)\"", "-I\(sources.path)/include",
      "-I\(library.path)",
    ]
    _ = try Tool.run(["musl-gcc"] + Self.options + places + files, in: objects)
    let compiled = Disk.find(objects) { $0.hasSuffix(".o") }.map(\.path).sorted()
    _ = try Tool.run(["ar", "crD", folder.appending(path: "libmbedtls.a").path] + compiled)
    try Disk.write(inputs, to: stamp)
    return sources
  }
}
