import ArcaManifest
import Foundation
import Yams

/// The text views of a workload manifest.
public enum ManifestText {
  /// The manifest as JSON with sorted keys, two-space indent and a final newline.
  public static func json(_ manifest: WorkloadManifest) throws(ManifestTextError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(ManifestDocument(manifest)), as: UTF8.self) + "\n"
    } catch {
      throw ManifestTextError(.syntax, "the manifest cannot be written as JSON: \(error)")
    }
  }

  /// The manifest as YAML.
  public static func yaml(_ manifest: WorkloadManifest) throws(ManifestTextError) -> String {
    do {
      return try YAMLEncoder().encode(ManifestDocument(manifest))
    } catch {
      throw ManifestTextError(.syntax, "the manifest cannot be written as YAML: \(error)")
    }
  }

  /// Reads a manifest from YAML, or from JSON, which is YAML too.
  ///
  /// Fields that are left out take the defaults of docs/specification.md; a field that the schema
  /// does not know, and a value outside of its bounds, is refused by name.
  public static func parse(_ text: String) throws(ManifestTextError) -> WorkloadManifest {
    let document: ManifestDocument
    let given: Node
    let known: Node
    do {
      guard let node = try Yams.compose(yaml: text) else {
        throw ManifestTextError(.syntax, "the manifest is empty")
      }
      given = node
      document = try YAMLDecoder().decode(ManifestDocument.self, from: node)
      known = try YAMLEncoder().encode(document).composed()
    } catch let error as DecodingError {
      throw ManifestTextError(.invalidField, describe(error))
    } catch let error as ManifestTextError {
      throw error
    } catch {
      throw ManifestTextError(.syntax, "neither YAML nor JSON: \(error)")
    }
    if let field = unknownField(in: given, known: known, path: "") {
      throw ManifestTextError(.unknownField, "\(field): the schema knows no such field")
    }
    return try check(try document.manifest())
  }

  /// Passes `manifest` through the CBOR schema, whose bounds are the ones that hold in the guest.
  public static func check(
    _ manifest: WorkloadManifest
  ) throws(ManifestTextError) -> WorkloadManifest {
    do {
      return try WorkloadManifest(decoding: manifest.encoded())
    } catch {
      throw ManifestTextError(.invalidField, describe(error))
    }
  }

  /// What a fault in CBOR says to people.
  public static func describe(_ error: ManifestError) -> String {
    let field = String(decoding: error.field, as: UTF8.self)
    return switch error.code {
    case .encoding: "\(field): not deterministic CBOR"
    case .missing: "\(field): missing"
    case .unknown: "\(field): the schema knows no such field"
    case .type: "\(field): another type than the schema says"
    case .value: "\(field): outside of its bounds (docs/specification.md, workload manifest)"
    case .version: "\(field): expected schema version \(WorkloadManifest.schemaVersion)"
    case .notAllowed:
      "the host asks for what the manifest does not allow; `\(field)` would allow it"
    }
  }

  private static func describe(_ error: DecodingError) -> String {
    let (path, reason): ([any CodingKey], String) =
      switch error {
      case .keyNotFound(let key, let context): (context.codingPath + [key], "missing")
      case .typeMismatch(_, let context), .dataCorrupted(let context),
        .valueNotFound(_, let context):
        (context.codingPath, context.debugDescription)
      @unknown default: ([], "\(error)")
      }
    return path.map(\.stringValue).joined(separator: ".") + ": " + reason
  }

  private static func unknownField(in given: Node, known: Node, path: String) -> String? {
    if let mapping = given.mapping, let other = known.mapping {
      for (key, value) in mapping {
        let name = path + (key.string ?? "?")
        guard let counterpart = other[key] else { return name }
        if let field = unknownField(in: value, known: counterpart, path: name + ".") {
          return field
        }
      }
    }
    if let sequence = given.sequence, let other = known.sequence {
      for (value, counterpart) in zip(sequence, other) {
        if let field = unknownField(in: value, known: counterpart, path: path) { return field }
      }
    }
    return nil
  }
}

extension String {
  fileprivate func composed() throws -> Node {
    try Yams.compose(yaml: self) ?? Node("")
  }
}
