import ArcaBytes

extension WorkloadManifest: ManifestPart {
  /// Reads a manifest, refusing what the schema does not know and values out of their bounds.
  public init(decoding encoded: [UInt8]) throws(ManifestError) {
    guard encoded.count <= Self.bytesMax else { throw ManifestError(.value, "manifest size") }
    self = try FieldReader.document(encoded, "manifest")
    guard keyBroker != nil || !needsKeyBroker else { throw ManifestError(.missing, "keyBroker") }
    guard pod == nil || hasNetwork else { throw ManifestError(.missing, "network") }
  }

  init(_ fields: inout FieldReader) throws(ManifestError) {
    guard try fields.unsigned("version") == Self.schemaVersion else {
      throw ManifestError(.version, "version")
    }
    rootFilesystem = try fields.part("rootFilesystem")
    process = try fields.part("process")
    hostname = try fields.text("hostname", max: 64)
    mounts = try fields.parts(try fields.array("mounts", max: 64), of: "mounts")
    hostMay = try fields.part("hostMay")
    try readOptional(&fields)
  }

  /// The fields that are left out where they ask for nothing: each manifest has one encoding.
  private mutating func readOptional(_ fields: inout FieldReader) throws(ManifestError) {
    keyBroker = try fields.optionalPart("keyBroker")
    secrets = try fields.parts(try fields.optionalArray("secrets", max: 64), of: "secrets")
    volumes = try fields.parts(try fields.optionalArray("volumes", max: 16), of: "volumes")
    hasNetwork = try fields.optionalFlag("network")
    pod = try fields.optionalPart("pod")
    workloadMay = try fields.optionalPart("workloadMay") ?? WorkloadRules()
  }

  /// Whether a part of the manifest can only be had from a key broker.
  public var needsKeyBroker: Bool {
    rootFilesystem.encryptionKey != nil || !secrets.isEmpty || !volumes.isEmpty || pod?.key != nil
      || workloadMay.getToken || !workloadMay.getResources.isEmpty
  }
}

/// Whether `path` is absolute and has no empty, `.` or `..` part.
func isCleanAbsolutePath(_ path: String) -> Bool {
  let slash = UInt8(ascii: "/")
  guard path.utf8.first == slash else { return false }
  let parts = path.utf8.dropFirst().split(separator: slash, omittingEmptySubsequences: false)
  return path.utf8.count == 1
    || parts.allSatisfy { $0.count > 2 || $0.contains { $0 != UInt8(ascii: ".") } }
}

/// Whether `variable` is `NAME=value` with a name.
func hasName(_ variable: String) -> Bool {
  variable.utf8.dropFirst().contains(UInt8(ascii: "=")) && variable.utf8.first != UInt8(ascii: "=")
}
