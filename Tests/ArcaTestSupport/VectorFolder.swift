import Foundation

/// The folder of evidence, launch and event-log vectors, which are not part of the project.
///
/// It is what `ARCA_VECTORS` names, else `../shared/vectors` beside the package.
public enum VectorFolder {
  /// The folder's path, whether it is there or not.
  public static let path: String = {
    if let named = ProcessInfo.processInfo.environment["ARCA_VECTORS"], !named.isEmpty {
      return named
    }
    return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("../shared/vectors").standardized.path
  }()

  /// Whether the folder is there; tests that need it are skipped where it is not.
  public static let isPresent = FileManager.default.fileExists(atPath: path + "/vectors.json")

  /// Whether this is CI, where a missing folder is a failure.
  public static let isCI = ProcessInfo.processInfo.environment["CI"] == "true"

  /// The bytes of the file `name` in the folder, or nil.
  public static func file(_ name: String) -> [UInt8]? {
    FileManager.default.contents(atPath: "\(path)/\(name)").map { [UInt8]($0) }
  }

  /// Every evidence vector in the subfolder `kind` (`snp`, `tdx` or `sgx`), by name.
  public static func evidence(_ kind: String) -> [EvidenceVector] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(kind)")) ?? []
    return names.sorted().compactMap { EvidenceVector(folder: "\(kind)/\($0)") }
  }
}

/// One evidence vector: a folder with evidence, endorsements and `vector.json`.
public struct EvidenceVector: Sendable, CustomStringConvertible {
  /// The folder, relative to the vector folder.
  public let folder: String
  /// What the evidence must turn out to be, such as `valid` or `tampered`.
  public let verdict: String
  /// The format's name, such as `snp-report-v3` or `vcek-certificate`.
  public let format: String
  /// The moment to judge at, as `YYYY-MM-DDTHH:MM:SSZ`.
  public let time: String
  /// The file in the folder that is the trusted root, or nil for the vendor's own.
  public let rootFile: String?
  /// Whether verifiers may disagree on the kind of verdict.
  public let isAmbiguous: Bool
  /// TCB status and advisories expected of Intel's evidence, where the vector states them.
  public let tcbStatus: String?
  /// Advisory identifiers expected, or nil where the vector states none.
  public let advisories: [String]?
  /// Claims that the evidence must state, as text; numbers in decimal or, with 0x, hexadecimal.
  public let claims: [String: String]

  /// Reads `vector.json` in `folder`, or nil where there is none that can be read.
  public init?(folder: String) {
    guard let bytes = VectorFolder.file("\(folder)/vector.json"),
      let top = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any],
      let expect = top["expect"] as? [String: Any], let verdict = expect["verdict"] as? String,
      let format = top["format"] as? String, let time = top["verify_time"] as? String,
      let root = top["trust_root"] as? String
    else { return nil }
    self.folder = folder
    self.verdict = verdict
    self.format = format
    self.time = time
    rootFile = root.hasPrefix("file:") ? String(root.dropFirst(5)) : nil
    isAmbiguous = top["ambiguity"] is String
    tcbStatus = expect["tcb_status"] as? String
    advisories = expect["advisory_ids"] as? [String]
    var claims: [String: String] = [:]
    for (name, value) in expect["claims"] as? [String: Any] ?? [:] {
      if let text = value as? String {
        claims[name] = text
      } else if let number = value as? NSNumber {
        claims[name] = "\(number)"
      } else if let nested = value as? [String: NSNumber] {
        for (part, number) in nested { claims["\(name)_\(part)"] = "\(number)" }
      }
    }
    self.claims = claims
  }

  /// The bytes of the file `name` in the vector's folder, or nil.
  public func file(_ name: String) -> [UInt8]? { VectorFolder.file("\(folder)/\(name)") }

  /// The folder's name, by which test runs list the vector.
  public var description: String { folder }
}
