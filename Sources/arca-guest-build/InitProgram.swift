import Foundation

/// Builds and links arca-init from this package's sources.
///
/// SwiftPM compiles it in its guest mode; it is linked here, since SwiftPM's own linking knows
/// neither musl nor the linker script. It can be loaded anywhere, as the measuring of enclaves
/// supposes.
enum InitProgram {
  private static let scratch = ".build-guest"
  private static let musl = "/usr/lib/x86_64-linux-musl"

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
      "musl-gcc", "-static", "-nostartfiles", "-s",
      // Debian's musl-gcc does not know -static-pie.
      "-Wl,-pie,--no-dynamic-linker,-z,text",
      "-Wl,--gc-sections,--build-id=none,-T,\(package.path)/guest/init.ld",
      "-o", program, musl + "/rcrt1.o", musl + "/crti.o", archive.path, scratch + "/libmbedtls.a",
      musl + "/crtn.o",
    ])
    return try Disk.read(URL(fileURLWithPath: program))
  }

  /// Lines with code, by module, in what SwiftPM compiles in guest mode and the headers beside it.
  static func linesOfCode(package: URL) throws(BuildError) -> [String: Int] {
    let description = try Tool.run(
      [
        "ARCA_GUEST=1", "swift", "package", "--scratch-path", package.path + "/" + scratch,
        "describe", "--type", "json",
      ], in: package, isQuiet: true)
    guard let targets = try? JSONDecoder().decode(Description.self, from: description).targets
    else { throw BuildError(.tool, "swift package describe: expected JSON with targets") }
    var lines: [String: Int] = [:]
    for target in targets {
      let folder = package.appending(path: target.path)
      let headers = Disk.find(folder) { $0.hasSuffix(".h") }
      var count = 0
      for file in target.sources.map({ folder.appending(path: $0) }) + headers {
        let text = String(decoding: try Disk.read(file), as: UTF8.self)
        count += text.split(separator: "\n").count {
          let line = $0.drop(while: \.isWhitespace)
          return !line.isEmpty && !line.hasPrefix("//")
        }
      }
      lines[target.name] = count
    }
    return lines
  }

  private struct Description: Decodable {
    struct Target: Decodable {
      let name: String
      let path: String
      let sources: [String]
    }

    let targets: [Target]
  }
}
