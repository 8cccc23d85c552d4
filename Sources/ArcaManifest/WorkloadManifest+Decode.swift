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

extension RootFilesystem: ManifestPart {
  init(_ fields: inout FieldReader) throws(ManifestError) {
    rootHash = try fields.bytes("rootHash", min: 32, max: 32)
    salt = try fields.bytes("salt", max: 256)
    // Sector numbers (blocks × 8) must stay within 63 bits.
    dataBlocks = try fields.unsigned("dataBlocks", min: 1, max: 1 << 40)
    hashStartBlock = try fields.unsigned("hashStartBlock", min: dataBlocks, max: 1 << 41)
    writableBytes = try fields.unsigned("writableBytes", max: 1 << 50)
    encryptionKey = try fields.optionalResource("encryptionKey")
  }
}

extension WorkloadProcess: ManifestPart {
  static let argsMax = 4096
  static let argBytesMax = 131_071

  init(_ fields: inout FieldReader) throws(ManifestError) {
    args = try fields.arguments("args")
    env = try fields.variables("env")
    cwd = try fields.text("cwd", max: 4095)
    guard isCleanAbsolutePath(cwd) else { throw fields.fault(.value, "cwd") }
    uid = try fields.id("uid")
    gid = try fields.id("gid")
    additionalGids = []
    for value in try fields.array("additionalGids", max: 65_536) {
      guard case .unsigned(let id) = value, id <= FieldReader.idMax else {
        throw fields.fault(.value, "additionalGids")
      }
      additionalGids.append(UInt32(id))
    }
    umask = try fields.unsigned("umask", max: 0o777)
    capabilities = try fields.unsigned("capabilities")
    if let ambient = fields.optional("ambientCapabilities") {
      guard case .unsigned(let bits) = ambient, bits > 0, bits & ~capabilities == 0 else {
        throw fields.fault(.value, "ambientCapabilities")
      }
      ambientCapabilities = bits
    }
    rlimits = try fields.parts(try fields.array("rlimits", max: 16), of: "rlimits")
    noNewPrivileges = try fields.bool("noNewPrivileges")
    stopSignal = try fields.unsigned("stopSignal", min: 1, max: 64)
  }
}

extension HostRules: ManifestPart {
  init(_ fields: inout FieldReader) throws(ManifestError) {
    replaceArgs = try fields.bool("replaceArgs")
    setEnv = try fields.texts("setEnv", max: 1024, bytesMax: 1024)
    setHostname = try fields.bool("setHostname")
    attachTerminal = try fields.bool("attachTerminal")
    sendInput = try fields.bool("sendInput")
    receiveOutput = try fields.bool("receiveOutput")
    execute = try fields.optionalFlag("execute")
    writeFiles = try fields.optionalPaths("writeFiles")
    shareFolders = try fields.optionalPaths("shareFolders")
  }
}

extension FieldReader {
  /// An argument vector, which names a program.
  mutating func arguments(_ key: String) throws(ManifestError) -> [String] {
    let texts = try texts(
      key, max: WorkloadProcess.argsMax, bytesMax: WorkloadProcess.argBytesMax)
    guard let program = texts.first, !program.utf8.isEmpty else { throw fault(.value, key) }
    return texts
  }

  /// `NAME=value` each, with a name.
  mutating func variables(_ key: String) throws(ManifestError) -> [String] {
    let texts = try texts(
      key, max: WorkloadProcess.argsMax, bytesMax: WorkloadProcess.argBytesMax)
    guard texts.allSatisfy(hasName) else { throw fault(.value, key) }
    return texts
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
