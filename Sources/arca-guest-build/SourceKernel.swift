import Foundation

/// A kernel built from Debian's source package with the options of `guest/kernel.config`.
struct SourceKernel {
  private static let metaPackage = "linux-source"

  /// The package of the source, for the release's record.
  let package: URL
  /// What an unpacked binary package would hold, without any module.
  let folder: URL
  /// The options that it was built with.
  let options: [String]

  /// Takes the kernel that `cache` keeps for this source and these options, or builds it.
  init(cache: URL, options: URL, refresh: Bool) throws(BuildError) {
    package = try Self.source(cache, refresh: refresh)
    let text = String(decoding: try Disk.read(options), as: UTF8.self)
    let config = text.split(separator: "\n").compactMap { line -> String? in
      let option = line.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces)
      return option.isEmpty ? nil : option
    }
    self.options = config
    let compiler = try Tool.text(["gcc", "--version"]).prefix { $0 != "\n" }
    let key = Release.digest(
      Data(([try Release.Package(package).sha256, String(compiler)] + config).joined().utf8))
    folder = cache.appending(path: "kernel-\(key.prefix(16))")
    if FileManager.default.fileExists(atPath: folder.path) { return }
    try build(config, beside: cache)
  }

  private static func source(_ cache: URL, refresh: Bool) throws(BuildError) -> URL {
    try Disk.makeFolder(cache)
    let kept = Disk.find(cache) { $0.hasPrefix("linux-source-") && $0.hasSuffix(".deb") }
    if !refresh, let newest = kept.max(by: { $0.path < $1.path }) { return newest }
    let site = try PrivateApt.mirror()
    for suite in DebianKernel.suites {
      let apt = try PrivateApt(cache: cache, site: site, suite: suite)
      guard
        let name = try apt.dependencies(of: metaPackage).first(where: {
          $0.hasPrefix("linux-source-")
        }), let file = try apt.download([name], into: cache).first
      else { continue }
      return file
    }
    throw BuildError(
      .package,
      "none of \(DebianKernel.suites.joined(separator: ", ")) on \(site) has \(metaPackage)")
  }

  private func build(_ config: [String], beside cache: URL) throws(BuildError) {
    let work = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: work) }
    try Disk.makeFolder(work)
    _ = try Tool.run(["dpkg-deb", "--extract", package.path, work.path])
    guard let archive = Disk.find(work, { $0.hasSuffix(".tar.xz") }).first else {
      throw BuildError(.package, "\(package.lastPathComponent) holds no source archive")
    }
    _ = try Tool.run(["tar", "-xf", archive.path, "-C", work.path, "--strip-components=1"])
    let fragment = work.appending(path: "arca.config")
    try Disk.write(Data((config.joined(separator: "\n") + "\n").utf8), to: fragment)
    // Nothing of the machine, the user or the hour goes into the kernel.
    let make = [
      "make", "-s", "-j\(ProcessInfo.processInfo.activeProcessorCount)", "KBUILD_BUILD_USER=arca",
      "KBUILD_BUILD_HOST=arca", "KBUILD_BUILD_TIMESTAMP=1970-01-01", "KBUILD_BUILD_VERSION=1",
    ]
    _ = try Tool.run(make + ["KCONFIG_ALLCONFIG=\(fragment.path)", "allnoconfig"], in: work)
    try checkOptions(config, taken: work.appending(path: ".config"))
    print("building the guest's kernel from \(package.lastPathComponent); about ten minutes")
    _ = try Tool.run(make + ["bzImage"], in: work)
    let release = try Tool.text(make + ["kernelrelease"], in: work)
      .trimmingCharacters(in: .newlines)
    let made = cache.appending(path: ".new-\(UUID().uuidString)")
    let modules = made.appending(path: "lib/modules/\(release)")
    try Disk.makeFolder(modules)
    try Disk.write(
      try Disk.read(work.appending(path: "arch/x86/boot/bzImage")),
      to: made.appending(path: "vmlinuz-\(release)"))
    try Disk.write(
      try Disk.read(work.appending(path: ".config")), to: modules.appending(path: "config"))
    do {
      try FileManager.default.moveItem(at: made, to: folder)
    } catch {
      throw BuildError(.file, "\(folder.path) could not be written: \(error)")
    }
  }

  /// An option that the kernel does not know, or drops for lack of another, is an error.
  private func checkOptions(_ config: [String], taken: URL) throws(BuildError) {
    let lines = Set(
      String(decoding: try Disk.read(taken), as: UTF8.self).split(separator: "\n").map(String.init))
    let missing = config.filter { !lines.contains($0) }
    guard missing.isEmpty else {
      throw BuildError(
        .kernel,
        "guest/kernel.config: this kernel does not take \(missing.joined(separator: ", "))")
    }
  }
}
