import ArcaBytes
import Crypto
import Foundation

/// What a guest was made of and what came out: `release.json` beside it.
struct Release: Codable {
  /// A Debian package that went in.
  struct Package: Codable {
    let name: String
    let version: String
    let sha256: String
  }

  /// A file that came out.
  struct File: Codable {
    let sha256: String
    let bytes: Int
  }

  let arcaVersion: String
  let kernelRelease: String
  let kernelPackages: [Package]
  /// What arca-init is linked with; the digest is that of the source package's `.dsc`.
  let sourcePackages: [Package]
  let modules: [String]
  /// Lines of code by each module that arca-init is made of; comments and blank lines are free.
  let linesOfCode: [String: Int]
  /// How many of arca-init's bytes are the cryptography that it is linked with.
  let cryptographyBytes: Int
  /// The options of a kernel of Arca's own; Debian's are those of the named package.
  let kernelOptions: [String]?
  let files: [String: File]

  func json() throws(BuildError) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      return try encoder.encode(self) + Data("\n".utf8)
    } catch {
      throw BuildError(.file, "release.json could not be encoded: \(error)")
    }
  }
}

extension Release.Package {
  init(_ deb: URL) throws(BuildError) {
    let field = { (name: String) throws(BuildError) -> String in
      try Tool.text(["dpkg-deb", "--field", deb.path, name]).trimmingCharacters(in: .newlines)
    }
    name = try field("Package")
    version = try field("Version")
    sha256 = Release.digest(try Disk.read(deb))
  }
}

extension Release.File {
  init(_ content: Data) {
    sha256 = Release.digest(content)
    bytes = content.count
  }
}

extension Release {
  static func digest(_ content: Data) -> String {
    Hex.encode(Array(SHA256.hash(data: content)))
  }
}
