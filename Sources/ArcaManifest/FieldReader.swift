import ArcaBytes

/// Reads the fields of one CBOR map; whoever reads must take them all.
struct FieldReader {
  private var entries: [CBOR.Entry]
  private let path: [UInt8]

  init(_ value: CBOR, path: [UInt8]) throws(ManifestError) {
    guard case .map(let entries) = value else { throw ManifestError(.type, path) }
    self.entries = entries
    self.path = path
  }

  func name(_ key: String) -> [UInt8] {
    path.isEmpty ? Array(key.utf8) : path + [UInt8(ascii: ".")] + Array(key.utf8)
  }

  func fault(_ code: ManifestError.Code, _ key: String) -> ManifestError {
    ManifestError(code, name(key))
  }

  /// The field `key`, or nil where the map has none.
  mutating func optional(_ key: String) -> CBOR? {
    let wanted = Array(key.utf8)
    for index in entries.indices where same(entries[index].key, wanted) {
      return entries.remove(at: index).value
    }
    return nil
  }

  mutating func required(_ key: String) throws(ManifestError) -> CBOR {
    guard let value = optional(key) else { throw fault(.missing, key) }
    return value
  }

  mutating func map(_ key: String) throws(ManifestError) -> FieldReader {
    try FieldReader(try required(key), path: name(key))
  }

  mutating func unsigned(
    _ key: String, max bound: UInt64 = .max
  ) throws(ManifestError) -> UInt64 {
    guard case .unsigned(let value) = try required(key) else { throw fault(.type, key) }
    guard value <= bound else { throw fault(.value, key) }
    return value
  }

  mutating func bool(_ key: String) throws(ManifestError) -> Bool {
    guard case .bool(let value) = try required(key) else { throw fault(.type, key) }
    return value
  }

  mutating func bytes(_ key: String, max bound: Int) throws(ManifestError) -> [UInt8] {
    guard case .bytes(let value) = try required(key) else { throw fault(.type, key) }
    guard value.count <= bound else { throw fault(.value, key) }
    return value
  }

  mutating func text(_ key: String, max bound: Int) throws(ManifestError) -> String {
    let value = try required(key)
    return try Self.text(value, max: bound, name(key))
  }

  mutating func array(_ key: String, max bound: Int) throws(ManifestError) -> [CBOR] {
    guard case .array(let values) = try required(key) else { throw fault(.type, key) }
    guard values.count <= bound else { throw fault(.value, key) }
    return values
  }

  /// An array of texts, none of which holds a NUL byte, since they become C strings.
  mutating func texts(
    _ key: String, max count: Int, bytesMax: Int
  ) throws(ManifestError) -> [String] {
    var texts: [String] = []
    for value in try array(key, max: count) {
      texts.append(try Self.text(value, max: bytesMax, name(key)))
    }
    return texts
  }

  func expectEnd() throws(ManifestError) {
    guard let first = entries.first else { return }
    let prefix = path.isEmpty ? [] : path + [UInt8(ascii: ".")]
    throw ManifestError(.unknown, prefix + first.key)
  }

  static func text(
    _ value: CBOR, max bound: Int, _ name: [UInt8]
  ) throws(ManifestError) -> String {
    guard case .text(let utf8) = value else { throw ManifestError(.type, name) }
    guard utf8.count <= bound, !utf8.contains(0) else { throw ManifestError(.value, name) }
    return String(decoding: utf8, as: UTF8.self)
  }
}

/// Bytewise equality, which Embedded Swift's `==` on strings would need Unicode tables for.
func same(_ a: [UInt8], _ b: [UInt8]) -> Bool {
  guard a.count == b.count else { return false }
  for index in a.indices where a[index] != b[index] { return false }
  return true
}

extension CBOR.Entry {
  init(_ key: String, _ value: CBOR) {
    self.init(Array(key.utf8), value)
  }
}
