import Foundation

/// Builds and links arca-init from this package's sources.
///
/// SwiftPM compiles it in its guest mode; it is linked here, since SwiftPM's own linking knows
/// neither musl nor the linker script.
enum InitProgram {
  private static let scratch = ".build-guest"

  static func build(package: URL) throws(BuildError) -> Data {
    let scratch = package.appending(path: scratch).path
    _ = try Tool.run(
      [
        "ARCA_GUEST=1", "swift", "build", "-q", "-c", "release", "--scratch-path", scratch,
        "--product", "ArcaInit",
      ], in: package)
    let program = scratch + "/arca-init"
    _ = try Tool.run([
      "musl-gcc", "-static", "-s",
      "-Wl,--gc-sections,--build-id=none,-T,\(package.path)/guest/init.ld",
      "-o", program, scratch + "/release/libArcaInit.a",
    ])
    return try Disk.read(URL(fileURLWithPath: program))
  }
}
