import Foundation

/// Builds and links arca-init from this package's sources.
///
/// SwiftPM compiles it in its guest mode; it is linked here, since SwiftPM's own linking knows
/// neither musl nor the linker script.
enum InitProgram {
  private static let scratch = ".build-guest"

  static func build(package: URL, mbedTLS: MbedTLS) throws(BuildError) -> Data {
    let folder = package.appending(path: scratch)
    let scratch = folder.path
    let headers = try mbedTLS.build(
      in: folder, configuration: package.appending(path: "guest/mbedtls_config.h"))
    // ar adds to an archive that is there, so its order, and the program's, would tell its history.
    let archive = folder.appending(path: "release/libArcaInit.a")
    try? FileManager.default.removeItem(at: archive)
    _ = try Tool.run(
      [
        "ARCA_GUEST=1", "ARCA_MBEDTLS=\(headers.path)", "swift", "build", "-q", "-c", "release",
        "--scratch-path", scratch, "--product", "ArcaInit",
      ], in: package)
    let program = scratch + "/arca-init"
    _ = try Tool.run([
      "musl-gcc", "-static", "-s",
      "-Wl,--gc-sections,--build-id=none,-T,\(package.path)/guest/init.ld",
      "-o", program, archive.path, scratch + "/libmbedtls.a",
    ])
    return try Disk.read(URL(fileURLWithPath: program))
  }
}
