import Foundation
import Testing

/// The attestation library is for clients on other platforms too.
@Suite struct ImportsTests {
  private static let allowed: Set<String> = [
    "ArcaBytes", "Crypto", "CryptoExtras", "SwiftASN1", "TEEEvidence", "TEEMeasurement",
    "FoundationEssentials", "Foundation",
  ]

  @Test func libraryImportsNeitherNetworkingNorLinux() throws {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources")
    var files = 0
    for module in ["ArcaBytes", "TEEEvidence", "TEEMeasurement", "TEEAttestation"] {
      let folder = sources.appendingPathComponent(module)
      for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
      where path.hasSuffix(".swift") {
        files += 1
        let text = try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
        let imports = text.split(separator: "\n").map { $0.drop { $0 == " " } }
          .filter { $0.hasPrefix("import ") || $0.hasPrefix("package import ") }
          .compactMap { $0.split(separator: " ").last.map(String.init) }
        #expect(Set(imports).isSubset(of: Self.allowed), "\(module)/\(path)")
        // All of Foundation only where its essentials are not to be had.
        #expect(
          !imports.contains("Foundation") || imports.contains("FoundationEssentials"),
          "\(module)/\(path)")
      }
    }
    #expect(files > 50)
  }
}
