import ArcaBytes

/// Why a manifest or host input was refused.
public struct ManifestError: Error, Sendable {
  /// The kind of fault.
  public enum Code: UInt8, Sendable {
    /// Not deterministic CBOR.
    case encoding
    /// A required field is missing.
    case missing
    /// A field that the schema does not know.
    case unknown
    /// A field has another type than the schema says.
    case type
    /// A field holds a value that it may not.
    case value
    /// The schema's version is not ``WorkloadManifest/schemaVersion``.
    case version
    /// The host asks for something that no rule of the manifest allows.
    case notAllowed
  }

  /// The kind of fault.
  public let code: Code
  /// The field, as a dotted path in UTF-8 (`process.cwd`), with what was found where that helps.
  public let field: [UInt8]
}

extension ManifestError {
  init(_ code: Code, _ field: StaticString) {
    self.init(code: code, field: [UInt8](ascii: field))
  }
}
