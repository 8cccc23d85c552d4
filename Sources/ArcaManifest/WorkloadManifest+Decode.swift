import ArcaBytes

extension WorkloadManifest {
  /// Reads a manifest, refusing what the schema does not know and values out of their bounds.
  public init(decoding encoded: [UInt8]) throws(ManifestError) {
    guard encoded.count <= Self.bytesMax else { throw ManifestError(.value, "manifest size") }
    let value: CBOR
    do {
      value = try CBOR.decode(encoded)
    } catch {
      throw ManifestError(.encoding, "manifest")
    }
    var fields = try FieldReader(value, path: [])
    guard try fields.unsigned("version") == Self.schemaVersion else {
      throw ManifestError(.version, "version")
    }
    let rootFilesystem = try RootFilesystem(try fields.map("rootFilesystem"))
    let process = try WorkloadProcess(try fields.map("process"))
    let hostname = try fields.text("hostname", max: 64)
    var mounts: [TemporaryMount] = []
    for item in try fields.array("mounts", max: 64) {
      mounts.append(try TemporaryMount(try FieldReader(item, path: fields.name("mounts"))))
    }
    let hostMay = try HostRules(try fields.map("hostMay"))
    self.init(
      rootFilesystem: rootFilesystem, process: process, hostname: hostname, mounts: mounts,
      hostMay: hostMay)
    try readOptional(&fields)
    try fields.expectEnd()
    guard keyBroker != nil || !needsKeyBroker else { throw ManifestError(.missing, "keyBroker") }
    guard pod == nil || hasNetwork else { throw ManifestError(.missing, "network") }
  }

  /// The fields that are left out where they ask for nothing: each manifest has one encoding.
  private mutating func readOptional(_ fields: inout FieldReader) throws(ManifestError) {
    if let value = fields.optional("keyBroker") {
      keyBroker = try KeyBrokerAccess(try FieldReader(value, path: fields.name("keyBroker")))
    }
    for item in try fields.optionalArray("secrets", max: 64) {
      secrets.append(try Secret(try FieldReader(item, path: fields.name("secrets"))))
    }
    for item in try fields.optionalArray("volumes", max: 16) {
      volumes.append(try EncryptedVolume(try FieldReader(item, path: fields.name("volumes"))))
    }
    hasNetwork = try fields.optionalFlag("network")
    if let value = fields.optional("pod") {
      pod = try Pod(try FieldReader(value, path: fields.name("pod")))
    }
    if let value = fields.optional("workloadMay") {
      workloadMay = try WorkloadRules(try FieldReader(value, path: fields.name("workloadMay")))
    }
  }

  /// Whether a part of the manifest can only be had from a key broker.
  public var needsKeyBroker: Bool {
    rootFilesystem.encryptionKey != nil || !secrets.isEmpty || !volumes.isEmpty || pod?.key != nil
      || workloadMay.getToken || !workloadMay.getResources.isEmpty
  }
}

extension RootFilesystem {
  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    let rootHash = try fields.bytes("rootHash", max: 32)
    guard rootHash.count == 32 else { throw fields.fault(.value, "rootHash") }
    let salt = try fields.bytes("salt", max: 256)
    // Sector numbers (blocks × 8) must stay within 63 bits.
    let dataBlocks = try fields.unsigned("dataBlocks", max: 1 << 40)
    guard dataBlocks > 0 else { throw fields.fault(.value, "dataBlocks") }
    let hashStartBlock = try fields.unsigned("hashStartBlock", max: 1 << 41)
    guard hashStartBlock >= dataBlocks else { throw fields.fault(.value, "hashStartBlock") }
    let writableBytes = try fields.unsigned("writableBytes", max: 1 << 50)
    let encryptionKey = try fields.optionalResource("encryptionKey")
    try fields.expectEnd()
    self.init(
      rootHash: rootHash, salt: salt, dataBlocks: dataBlocks, hashStartBlock: hashStartBlock,
      writableBytes: writableBytes)
    self.encryptionKey = encryptionKey
  }
}

extension WorkloadProcess {
  static let argsMax = 4096
  static let argBytesMax = 131_071

  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    let args = try fields.texts("args", max: Self.argsMax, bytesMax: Self.argBytesMax)
    guard let program = args.first, !program.utf8.isEmpty else {
      throw fields.fault(.value, "args")
    }
    let env = try fields.texts("env", max: Self.argsMax, bytesMax: Self.argBytesMax)
    for variable in env where !hasName(variable) { throw fields.fault(.value, "env") }
    let cwd = try fields.text("cwd", max: 4095)
    guard isCleanAbsolutePath(cwd) else { throw fields.fault(.value, "cwd") }
    // The id 2^32 - 1 means "unchanged" to the kernel.
    let uid = UInt32(try fields.unsigned("uid", max: 0xffff_fffe))
    let gid = UInt32(try fields.unsigned("gid", max: 0xffff_fffe))
    var additionalGids: [UInt32] = []
    for value in try fields.array("additionalGids", max: 65_536) {
      guard case .unsigned(let id) = value, id <= 0xffff_fffe else {
        throw fields.fault(.value, "additionalGids")
      }
      additionalGids.append(UInt32(id))
    }
    let umask = UInt32(try fields.unsigned("umask", max: 0o777))
    let capabilities = try fields.unsigned("capabilities")
    let ambient = fields.optional("ambientCapabilities")
    var rlimits: [ResourceLimit] = []
    for item in try fields.array("rlimits", max: 16) {
      rlimits.append(try ResourceLimit(try FieldReader(item, path: fields.name("rlimits"))))
    }
    let noNewPrivileges = try fields.bool("noNewPrivileges")
    let stopSignal = UInt8(try fields.unsigned("stopSignal", max: 64))
    guard stopSignal > 0 else { throw fields.fault(.value, "stopSignal") }
    try fields.expectEnd()
    self.init(
      args: args, env: env, cwd: cwd, uid: uid, gid: gid, additionalGids: additionalGids,
      umask: umask, capabilities: capabilities, rlimits: rlimits, noNewPrivileges: noNewPrivileges,
      stopSignal: stopSignal)
    if let ambient {
      guard case .unsigned(let bits) = ambient, bits > 0, bits & ~capabilities == 0 else {
        throw fields.fault(.value, "ambientCapabilities")
      }
      ambientCapabilities = bits
    }
  }
}

extension ResourceLimit {
  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    let resource = UInt8(try fields.unsigned("resource", max: 15))
    let soft = try fields.unsigned("soft")
    let hard = try fields.unsigned("hard")
    guard soft <= hard else { throw fields.fault(.value, "soft") }
    try fields.expectEnd()
    self.init(resource: resource, soft: soft, hard: hard)
  }
}

extension TemporaryMount {
  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    let destination = try fields.cleanPath("destination")
    let sizeBytes = try fields.unsigned("sizeBytes", max: 1 << 50)
    guard sizeBytes > 0 else { throw fields.fault(.value, "sizeBytes") }
    let mode = UInt32(try fields.unsigned("mode", max: 0o7777))
    try fields.expectEnd()
    self.init(destination: destination, sizeBytes: sizeBytes, mode: mode)
  }
}

extension HostRules {
  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    let replaceArgs = try fields.bool("replaceArgs")
    let setEnv = try fields.texts("setEnv", max: 1024, bytesMax: 1024)
    let setHostname = try fields.bool("setHostname")
    let attachTerminal = try fields.bool("attachTerminal")
    let sendInput = try fields.bool("sendInput")
    let receiveOutput = try fields.bool("receiveOutput")
    let execute = try fields.optionalFlag("execute")
    let writeFiles = try fields.optionalPaths("writeFiles")
    let shareFolders = try fields.optionalPaths("shareFolders")
    try fields.expectEnd()
    self.init(
      replaceArgs: replaceArgs, setEnv: setEnv, setHostname: setHostname,
      attachTerminal: attachTerminal, sendInput: sendInput, receiveOutput: receiveOutput)
    self.execute = execute
    self.writeFiles = writeFiles
    self.shareFolders = shareFolders
  }
}

/// Whether `path` is absolute and has no empty, `.` or `..` part.
func isCleanAbsolutePath(_ path: String) -> Bool {
  let utf8 = Array(path.utf8)
  guard utf8.first == UInt8(ascii: "/") else { return false }
  if utf8.count == 1 { return true }
  for part in utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
  {
    let isDots = part.count <= 2 && part.allSatisfy { $0 == UInt8(ascii: ".") }
    if isDots { return false }
  }
  return true
}

/// Whether `variable` is `NAME=value` with a name.
func hasName(_ variable: String) -> Bool {
  var position = 0
  for byte in variable.utf8 {
    if byte == UInt8(ascii: "=") { return position > 0 }
    position += 1
  }
  return false
}
