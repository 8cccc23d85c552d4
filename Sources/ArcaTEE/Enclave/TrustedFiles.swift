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
  private static let before = "    { uri = \"file:"
  private static let between = "\", sha256 = \""
  private static let after = "\" },"

  /// The files, in the manifest's order.
  public let files: [File]

  /// The files of a list.
  public init(_ files: [File]) { self.files = files }

  /// The elements of the manifest's array `trusted_files`, a line each.
  public var text: String {
    files.map {
      Self.before + TOMLString.escaped($0.path) + Self.between + Hex.encode($0.sha256) + Self.after
        + "\n"
    }.joined()
  }

  /// Reads what ``text`` wrote out of a whole manifest.
  ///
  /// - Throws: ``TEEError/Code/description`` where a line of a file is none that Arca writes.
  public init(manifest: [UInt8]) throws(TEEError) {
    var files: [File] = []
    for line in String(decoding: manifest, as: UTF8.self).split(separator: "\n")
    where line.hasPrefix(Self.before) {
      let rest = line.dropFirst(Self.before.count)
      let hashStart = rest.utf8.count - Self.between.utf8.count - 64 - Self.after.utf8.count
      let bytes = Array(rest.utf8)
      guard hashStart > 0, line.hasSuffix(Self.after),
        bytes[hashStart...].starts(with: Array(Self.between.utf8)),
        let path = TOMLString.unescaped(bytes[..<hashStart]),
        let hash = Hex.decode(
          String(
            decoding: bytes[(hashStart + Self.between.utf8.count)...].prefix(64), as: UTF8.self))
      else {
        throw TEEError(.description, "the enclave's manifest: \(line): no trusted file")
      }
      files.append(File(path: path, sha256: hash))
    }
    self.files = files
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

/// Basic strings (TOML 1.0, "String"), without their quotation marks.
public enum TOMLString {
  /// `text` with what must not stand in a string escaped.
  public static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": escaped += "\\\(scalar)"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let digits = String(scalar.value, radix: 16)
        escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// The text that ``escaped(_:)`` made `bytes` of; nil where it makes no such bytes.
  static func unescaped(_ bytes: ArraySlice<UInt8>) -> String? {
    var plain: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        plain.append(byte)
        continue
      }
      switch rest.popFirst() {
      case UInt8(ascii: "u"):
        guard let value = UInt8(String(decoding: rest.prefix(4), as: UTF8.self), radix: 16) else {
          return nil
        }
        plain.append(value)
        rest = rest.dropFirst(4)
      case .some(let mark) where mark == UInt8(ascii: "\"") || mark == UInt8(ascii: "\\"):
        plain.append(mark)
      default: return nil
      }
    }
    return String(decoding: plain, as: UTF8.self)
  }
}
