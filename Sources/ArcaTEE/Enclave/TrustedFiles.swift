import ArcaBytes
import Crypto

/// The files that a Gramine manifest trusts, each with its SHA-256, as Arca writes them.
///
/// Gramine checks each one as it is opened. What stands in for it checks all of them before the
/// workload is told what to run.
public struct TrustedFiles: Sendable {
  /// A file of the outer container.
  public struct File: Sendable, Equatable {
    /// The absolute path.
    public let path: String
    /// SHA-256 of the content, 32 bytes.
    public let sha256: [UInt8]

    /// A file with its hash.
    public init(path: String, sha256: [UInt8]) {
      self.path = path
      self.sha256 = sha256
    }
  }

  /// Bytes of a manifest at most.
  static let bytesMax = 1 << 28
  private static let header = "[[sgx.trusted_files]]"
  private static let path = "uri = \"file:"
  private static let hash = "sha256 = \""

  /// The files, in the manifest's order.
  public let files: [File]

  /// The files of a list.
  public init(_ files: [File]) { self.files = files }

  /// The elements of the manifest's array `trusted_files`.
  public var tables: [TOMLTable] {
    files.map {
      TOMLTable(["uri": .text("file:" + $0.path), "sha256": .text(Hex.encode($0.sha256))])
    }
  }

  /// Reads what ``tables`` became out of a whole manifest.
  ///
  /// - Throws: ``TEEError/Code/description`` where a section of a file is none that Arca writes.
  public init(manifest: [UInt8]) throws(TEEError) {
    var files: [File] = []
    var lines = String(decoding: manifest, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false)[...]
    while let line = lines.popFirst() {
      guard line == Self.header else { continue }
      let path = lines.popFirst() ?? ""
      let hash = lines.popFirst() ?? ""
      guard let name = Self.value(path, Self.path).flatMap({ TOMLString.unescaped($0.utf8) }),
        let digest = Self.value(hash, Self.hash).flatMap({ Hex.decode(String($0)) }),
        digest.count == 32
      else {
        throw TEEError(.description, "the enclave's manifest: \(path) \(hash): no trusted file")
      }
      files.append(File(path: name, sha256: digest))
    }
    self.files = files
  }

  private static func value(_ line: Substring, _ key: String) -> Substring? {
    guard line.hasPrefix(key), line.hasSuffix("\""), line.count > key.count else { return nil }
    return line.dropFirst(key.count).dropLast()
  }

  /// Reads every file and refuses the first that is not what the manifest says.
  func check() throws(TEEError) {
    for file in files {
      let found = try BootedFiles.hash(file.path, SHA256())
      guard found == file.sha256 else {
        throw TEEError(
          .rootFilesystemChanged,
          "\(file.path.dropFirst(OuterPath.enclaveRoot.count)): SHA-256 is \(Hex.encode(found)), "
            + "but the enclave's manifest says \(Hex.encode(file.sha256)); remove the image "
            + "(`arca image remove`) and let it be unpacked again")
      }
    }
  }
}
