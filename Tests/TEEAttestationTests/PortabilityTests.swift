import Foundation
import Testing

/// Clients on other systems use the TEE modules too: no networking, nothing of one system's.
@Suite struct PortabilityTests {
  static let allowed: [String: Set<String>] = [
    "TEEEvidence": ["ArcaBytes"],
    "TEEMeasurement": ["ArcaBytes", "TEEEvidence", "Crypto", "CryptoExtras"],
    "TEEAttestation": [
      "ArcaBytes", "TEEEvidence", "Crypto", "CryptoExtras", "FoundationEssentials", "Foundation",
    ],
  ]

  @Test(arguments: allowed.keys.sorted())
  func `a module imports what exists everywhere`(_ module: String) throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = root.appending(path: "Sources/\(module)").path
    let files = try #require(FileManager.default.subpaths(atPath: folder))
      .filter { $0.hasSuffix(".swift") }
    #expect(!files.isEmpty)
    for file in files {
      let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
      for line in text.split(separator: "\n") {
        let words = line.split(separator: " ")
        guard let at = words.firstIndex(of: "import"), at <= 1, at + 1 < words.count else {
          continue
        }
        let allowed = try #require(Self.allowed[module])
        #expect(allowed.contains(String(words[at + 1])), "\(file): \(line)")
      }
    }
  }
}
