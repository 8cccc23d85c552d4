import ArcaBytes

/// Reads the fields of one CBOR map; whoever reads must take them all.
struct FieldReader {
  private var entries: [CBOR.Entry]
  private let path: [UInt8]

  init(_ value: CBOR, path: [UInt8]) throws(ManifestError) {
    guard case .map(let entries) = value else { throw ManifestError(code: .type, field: path) }
    self.entries = entries
    self.path = path
  }

  func name(_ key: StaticString) -> [UInt8] { name([UInt8](ascii: key)) }

  private func name(_ key: [UInt8]) -> [UInt8] {
    path.isEmpty ? key : path + [UInt8(ascii: ".")] + key
  }

  func fault(_ code: ManifestError.Code, _ key: StaticString) -> ManifestError {
    ManifestError(code: code, field: name(key))
  }

  /// The field `key`, or nil where the map has none.
  mutating func optional(_ key: StaticString) -> CBOR? {
    guard let index = entries.firstIndex(where: { $0.key.elementsEqual(ascii: key) }) else {
      return nil
    }
    return entries.remove(at: index).value
  }

  func has(_ key: StaticString) -> Bool { entries.contains { $0.key.elementsEqual(ascii: key) } }

  mutating func required(_ key: StaticString) throws(ManifestError) -> CBOR {
    guard let value = optional(key) else { throw fault(.missing, key) }
    return value
  }

  mutating func unsigned<Value: FixedWidthInteger & UnsignedInteger>(
    _ key: StaticString, min least: Value = 0, max bound: Value = .max
  ) throws(ManifestError) -> Value {
    guard case .unsigned(let found) = try required(key) else { throw fault(.type, key) }
    guard let value = Value(exactly: found), value >= least, value <= bound else {
      throw fault(.value, key)
    }
    return value
  }

  /// The largest id of a user or group; 2^32 - 1 means "unchanged" to the kernel.
  static let idMax: UInt32 = 0xffff_fffe

  mutating func id(_ key: StaticString) throws(ManifestError) -> UInt32 {
    try unsigned(key, max: Self.idMax)
  }

  mutating func bool(_ key: StaticString) throws(ManifestError) -> Bool {
    guard case .bool(let value) = try required(key) else { throw fault(.type, key) }
    return value
  }

  mutating func bytes(
    _ key: StaticString, min least: Int = 0, max bound: Int
  ) throws(ManifestError) -> [UInt8] {
    guard case .bytes(let value) = try required(key) else { throw fault(.type, key) }
    guard value.count >= least, value.count <= bound else { throw fault(.value, key) }
    return value
  }

  mutating func text(_ key: StaticString, max bound: Int) throws(ManifestError) -> Text {
    try Self.text(try required(key), max: bound, name(key))
  }

  mutating func array(_ key: StaticString, max bound: Int) throws(ManifestError) -> [CBOR] {
    guard case .array(let values) = try required(key) else { throw fault(.type, key) }
    guard values.count <= bound else { throw fault(.value, key) }
    return values
  }

  /// An array of texts, none of which holds a NUL byte, since they become C strings.
  mutating func texts(
    _ key: StaticString, max count: Int, bytesMax: Int
  ) throws(ManifestError) -> [Text] {
    var texts: [Text] = []
    for value in try array(key, max: count) {
      texts.append(try Self.text(value, max: bytesMax, name(key)))
    }
    return texts
  }

  /// An argument vector, which names a program.
  mutating func arguments(_ key: StaticString) throws(ManifestError) -> [Text] {
    let texts = try texts(
      key, max: WorkloadProcess.argsMax, bytesMax: WorkloadProcess.argBytesMax)
    guard let program = texts.first, !program.utf8.isEmpty else { throw fault(.value, key) }
    return texts
  }

  /// `NAME=value` each, with a name.
  mutating func variables(_ key: StaticString) throws(ManifestError) -> [Text] {
    let texts = try texts(
      key, max: WorkloadProcess.argsMax, bytesMax: WorkloadProcess.argBytesMax)
    guard texts.allSatisfy(hasName) else { throw fault(.value, key) }
    return texts
  }

  /// An absolute path other than `/`.
  mutating func cleanPath(_ key: StaticString) throws(ManifestError) -> Text {
    let path = try text(key, max: 4095)
    guard isCleanAbsolutePath(path), path.utf8.count > 1 else { throw fault(.value, key) }
    return path
  }

  func expectEnd() throws(ManifestError) {
    guard let first = entries.first else { return }
    throw ManifestError(code: .unknown, field: name(first.key))
  }

  static func text(
    _ value: CBOR, max bound: Int, _ name: [UInt8]
  ) throws(ManifestError) -> Text {
    guard case .text(let utf8) = value else { throw ManifestError(code: .type, field: name) }
    guard utf8.count <= bound, !utf8.contains(0) else {
      throw ManifestError(code: .value, field: name)
    }
    return Text(decoding: utf8, as: UTF8.self)
  }

  // MARK: - Parts

  /// The part that fills `encoded`, whose name is for errors.
  static func document<Part: ManifestPart>(
    _ encoded: [UInt8], _ name: StaticString
  ) throws(ManifestError) -> Part {
    let value: CBOR
    do { value = try CBOR.decode(encoded) } catch { throw ManifestError(.encoding, name) }
    return try part(value, [])
  }

  private static func part<Part: ManifestPart>(
    _ value: CBOR, _ path: [UInt8]
  ) throws(ManifestError) -> Part {
    var fields = try FieldReader(value, path: path)
    let part = try Part(&fields)
    try fields.expectEnd()
    return part
  }

  mutating func part<Part: ManifestPart>(_ key: StaticString) throws(ManifestError) -> Part {
    try Self.part(try required(key), name(key))
  }

  mutating func optionalPart<Part: ManifestPart>(_ key: StaticString) throws(ManifestError) -> Part?
  {
    has(key) ? try part(key) : nil
  }

  mutating func parts<Part: ManifestPart>(
    _ key: StaticString, max bound: Int
  ) throws(ManifestError) -> [Part] {
    var parts: [Part] = []
    for value in try array(key, max: bound) { parts.append(try Self.part(value, name(key))) }
    return parts
  }

  mutating func optionalParts<Part: ManifestPart>(
    _ key: StaticString, max bound: Int
  ) throws(ManifestError) -> [Part] {
    guard has(key) else { return [] }
    let parts: [Part] = try parts(key, max: bound)
    guard !parts.isEmpty else { throw fault(.value, key) }
    return parts
  }

  // MARK: - Fields that may be missing

  // Fields that are left out where they hold their default; one that is there must hold another, so
  // that there is one encoding of each manifest.

  mutating func optionalFlag(_ key: StaticString) throws(ManifestError) -> Bool {
    guard has(key) else { return false }
    guard try bool(key) else { throw fault(.value, key) }
    return true
  }

  mutating func optionalText(_ key: StaticString, max bound: Int) throws(ManifestError) -> Text? {
    has(key) ? try text(key, max: bound) : nil
  }

  /// Absolute paths of which each may end in `*`.
  mutating func optionalPaths(_ key: StaticString) throws(ManifestError) -> [Text] {
    guard has(key) else { return [] }
    let paths = try texts(key, max: 64, bytesMax: 4095)
    guard !paths.isEmpty else { throw fault(.value, key) }
    for path in paths {
      var utf8 = Array(path.utf8)
      if utf8.last == UInt8(ascii: "*") { utf8[utf8.count - 1] = UInt8(ascii: "x") }
      guard isCleanAbsolutePath(Text(decoding: utf8, as: UTF8.self)) else {
        throw fault(.value, key)
      }
    }
    return paths
  }

  /// A resource URI of the one form that the guest asks for.
  mutating func resource(_ key: StaticString) throws(ManifestError) -> Text {
    guard let uri = try optionalResource(key) else { throw fault(.missing, key) }
    return uri
  }

  mutating func optionalResource(_ key: StaticString) throws(ManifestError) -> Text? {
    guard let uri = try optionalText(key, max: 512) else { return nil }
    guard ResourceURI.path(uri) != nil else { throw fault(.value, key) }
    return uri
  }
}

/// What is encoded as one CBOR map, each of whose fields it takes.
protocol ManifestPart {
  init(_ fields: inout FieldReader) throws(ManifestError)
}

/// Whether `path` is absolute and has no empty, `.` or `..` part.
func isCleanAbsolutePath(_ path: Text) -> Bool {
  let slash = UInt8(ascii: "/")
  guard path.utf8.first == slash else { return false }
  let parts = path.utf8.dropFirst().split(separator: slash, omittingEmptySubsequences: false)
  return path.utf8.count == 1
    || parts.allSatisfy { $0.count > 2 || $0.contains { $0 != UInt8(ascii: ".") } }
}

/// Whether `variable` is `NAME=value` with a name.
func hasName(_ variable: Text) -> Bool {
  variable.utf8.dropFirst().contains(UInt8(ascii: "=")) && variable.utf8.first != UInt8(ascii: "=")
}
