import Foundation

/// Builds and links arca-init from this package's sources.
///
/// SwiftPM compiles it in its guest mode; it is linked here, since SwiftPM's own linking knows
/// neither musl nor the linker script. It can be loaded anywhere, as the measuring of enclaves
/// supposes.
enum InitProgram {
  private static let scratch = ".build-guest"
  private static let musl = "/usr/lib/x86_64-linux-musl"

  /// The program, and how many of its bytes are Mbed TLS's.
  static func build(
    package: URL, mbedTLS: MbedTLS
  ) throws(BuildError) -> (content: Data, cryptographyBytes: Int) {
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
    let map = scratch + "/arca-init.map"
    _ = try Tool.run([
      "musl-gcc", "-static", "-nostartfiles", "-s",
      // Debian's musl-gcc does not know -static-pie.
      "-Wl,-pie,--no-dynamic-linker,-z,text",
      "-Wl,--gc-sections,--build-id=none,-T,\(package.path)/guest/init.ld,-Map,\(map)",
      "-o", program, musl + "/rcrt1.o", musl + "/crti.o", archive.path, scratch + "/libmbedtls.a",
      musl + "/crtn.o",
    ])
    let parts = String(decoding: try Disk.read(URL(fileURLWithPath: map)), as: UTF8.self)
    return (
      try Disk.read(URL(fileURLWithPath: program)), bytes(of: "/libmbedtls.a(", inMap: parts)
    )
  }

  /// What the members of an archive take up of the program, by the linker's map of it.
  private static func bytes(of archive: String, inMap map: String) -> Int {
    var bytes = 0
    var section: Substring = ""
    for line in map.split(separator: "\n") {
      // " .section  address  size  file", in two lines where the section's name is long.
      let words = line.split(separator: " ")
      if let word = words.first, word.hasPrefix(".") { section = word }
      guard words.count >= 3, words[words.count - 1].contains(archive), !section.hasPrefix(".bss")
      else { continue }
      let numbers = words[(words.count - 3)...].prefix(2).map { Int($0.dropFirst(2), radix: 16) }
      // What the linker drops is at address 0.
      if let address = numbers[0], let size = numbers[1], address > 0 { bytes += size }
    }
    return bytes
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
