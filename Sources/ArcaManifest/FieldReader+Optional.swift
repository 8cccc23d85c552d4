import ArcaBytes

/// Fields that are left out where they hold their default; one that is there must hold another, so
/// that there is one encoding of each manifest.
extension FieldReader {
  mutating func optionalFlag(_ key: String) throws(ManifestError) -> Bool {
    guard let value = optional(key) else { return false }
    guard case .bool(let flag) = value else { throw fault(.type, key) }
    guard flag else { throw fault(.value, key) }
    return true
  }

  mutating func optionalArray(_ key: String, max bound: Int) throws(ManifestError) -> [CBOR] {
    guard let value = optional(key) else { return [] }
    guard case .array(let values) = value else { throw fault(.type, key) }
    guard (1...bound).contains(values.count) else { throw fault(.value, key) }
    return values
  }

  mutating func optionalText(_ key: String, max bound: Int) throws(ManifestError) -> String? {
    guard let value = optional(key) else { return nil }
    return try Self.text(value, max: bound, name(key))
  }

  /// Absolute paths of which each may end in `*`.
  mutating func optionalPaths(_ key: String) throws(ManifestError) -> [String] {
    var paths: [String] = []
    for item in try optionalArray(key, max: 64) {
      let path = try Self.text(item, max: 4095, name(key))
      var utf8 = Array(path.utf8)
      if utf8.last == UInt8(ascii: "*") { utf8[utf8.count - 1] = UInt8(ascii: "x") }
      guard isCleanAbsolutePath(String(decoding: utf8, as: UTF8.self)) else {
        throw fault(.value, key)
      }
      paths.append(path)
    }
    return paths
  }

  /// A resource URI of the one form that the guest asks for.
  mutating func resource(_ key: String) throws(ManifestError) -> String {
    guard let uri = try optionalResource(key) else { throw fault(.missing, key) }
    return uri
  }

  mutating func optionalResource(_ key: String) throws(ManifestError) -> String? {
    guard let uri = try optionalText(key, max: 512) else { return nil }
    guard ResourceURI.path(uri) != nil else { throw fault(.value, key) }
    return uri
  }
}
