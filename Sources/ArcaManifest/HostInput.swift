import ArcaBytes

/// What the host hands in beside the manifest: untrusted, and merged only by the manifest's rules.
public struct HostInput: Sendable, Equatable {
  /// Arguments in place of the manifest's, or nil.
  public var args: [String]?
  /// `NAME=value` to add or replace.
  public var env: [String]
  /// A host name in place of the manifest's, or nil.
  public var hostname: String?
  /// The size of the terminal that the workload is to have, or nil for none.
  public var terminal: TerminalSize?

  /// Files to write before the start.
  public var files: [HostFile] = []
  /// Folders to mount before the start.
  public var folders: [HostFolder] = []
  /// The network interfaces to take over, or nil for none.
  public var network: HostNetwork?

  /// Rows and columns of a terminal.
  public struct TerminalSize: Sendable, Equatable {
    /// How many rows.
    public var rows: UInt16
    /// How many columns.
    public var columns: UInt16

    /// A terminal of this size.
    public init(rows: UInt16, columns: UInt16) {
      self.rows = rows
      self.columns = columns
    }
  }

  /// Input that asks for what is named.
  public init(
    args: [String]? = nil, env: [String] = [], hostname: String? = nil,
    terminal: TerminalSize? = nil
  ) {
    self.args = args
    self.env = env
    self.hostname = hostname
    self.terminal = terminal
  }

  /// Reads host input, refusing what its schema does not know.
  public init(decoding encoded: [UInt8]) throws(ManifestError) {
    let value: CBOR
    do {
      value = try CBOR.decode(encoded)
    } catch {
      throw ManifestError(.encoding, "host input")
    }
    var fields = try FieldReader(value, path: [])
    let env = try fields.texts(
      "env", max: WorkloadProcess.argsMax, bytesMax: WorkloadProcess.argBytesMax)
    for variable in env where !hasName(variable) { throw fields.fault(.value, "env") }
    var args: [String]?
    var hostname: String?
    var terminal: TerminalSize?
    if let given = fields.optional("args") {
      var one = try FieldReader(.map([CBOR.Entry("args", given)]), path: [])
      let texts = try one.texts(
        "args", max: WorkloadProcess.argsMax, bytesMax: WorkloadProcess.argBytesMax)
      guard let program = texts.first, !program.utf8.isEmpty else {
        throw fields.fault(.value, "args")
      }
      args = texts
    }
    if let given = fields.optional("hostname") {
      var one = try FieldReader(.map([CBOR.Entry("hostname", given)]), path: [])
      hostname = try one.text("hostname", max: 64)
    }
    if let given = fields.optional("terminal") {
      terminal = try TerminalSize(try FieldReader(given, path: fields.name("terminal")))
    }
    var files: [HostFile] = []
    for item in try fields.optionalArray("files", max: HostFile.countMax) {
      files.append(try HostFile(try FieldReader(item, path: fields.name("files"))))
    }
    var folders: [HostFolder] = []
    for item in try fields.optionalArray("folders", max: HostFolder.countMax) {
      folders.append(try HostFolder(try FieldReader(item, path: fields.name("folders"))))
    }
    var network: HostNetwork?
    if let given = fields.optional("network") {
      network = try HostNetwork(try FieldReader(given, path: fields.name("network")))
    }
    try fields.expectEnd()
    self.init(args: args, env: env, hostname: hostname, terminal: terminal)
    self.files = files
    self.folders = folders
    self.network = network
  }
}

extension WorkloadManifest {
  /// The manifest with what `input` asks for, where every part of it is allowed by ``hostMay``.
  ///
  /// Hosts call it before a start, to refuse early; the guest calls it because it must.
  public func merged(with input: HostInput) throws(ManifestError) -> WorkloadManifest {
    var merged = self
    if let args = input.args {
      guard hostMay.replaceArgs else { throw ManifestError(.notAllowed, "hostMay.replaceArgs") }
      merged.process.args = args
    }
    if let hostname = input.hostname {
      guard hostMay.setHostname else { throw ManifestError(.notAllowed, "hostMay.setHostname") }
      merged.hostname = hostname
      let name = Array("HOSTNAME=".utf8)
      let own = name + Array(self.hostname.utf8)
      for index in merged.process.env.indices
      where same(Array(merged.process.env[index].utf8), own) {
        merged.process.env[index] = "HOSTNAME=" + hostname
      }
    }
    for file in input.files {
      try require(hostMay.writeFiles, "hostMay.writeFiles: ", Array(file.path.utf8))
    }
    for folder in input.folders {
      try require(hostMay.shareFolders, "hostMay.shareFolders: ", Array(folder.path.utf8))
    }
    if case .some = input.network, !hasNetwork { throw ManifestError(.notAllowed, "network") }
    guard input.terminal == nil || hostMay.attachTerminal else {
      throw ManifestError(.notAllowed, "hostMay.attachTerminal")
    }
    for variable in input.env {
      let utf8 = Array(variable.utf8)
      let name = Array(utf8.prefix { $0 != UInt8(ascii: "=") })
      try require(hostMay.setEnv, "hostMay.setEnv: ", name)
      merged.process.env.removeAll { same(Array($0.utf8.prefix(name.count + 1)), name + [61]) }
      merged.process.env.append(variable)
    }
    return merged
  }
}

/// Throws where none of `patterns` covers `name`.
private func require(
  _ patterns: [String], _ rule: String, _ name: [UInt8]
) throws(ManifestError) {
  guard patterns.contains(where: { matches(name, Array($0.utf8)) }) else {
    throw ManifestError(.notAllowed, Array(rule.utf8) + name)
  }
}

private func matches(_ name: [UInt8], _ pattern: [UInt8]) -> Bool {
  guard pattern.last == UInt8(ascii: "*") else { return same(name, pattern) }
  let prefix = Array(pattern.dropLast())
  return same(Array(name.prefix(prefix.count)), prefix)
}
