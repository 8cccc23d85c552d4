import ArcaBytes

/// What the host hands in beside the manifest: untrusted, and merged only by the manifest's rules.
public struct HostInput: ManifestPart, Sendable, Equatable {
  /// Arguments in place of the manifest's, or nil.
  public var args: [Text]?
  /// `NAME=value` to add or replace.
  public var env: [Text]
  /// A host name in place of the manifest's, or nil.
  public var hostname: Text?
  /// The size of the terminal that the workload is to have, or nil for none.
  public var terminal: TerminalSize?

  /// Files to write before the start.
  public var files: [HostFile] = []
  /// Folders to mount before the start.
  public var folders: [HostFolder] = []
  /// The network interfaces to take over, or nil for none.
  public var network: HostNetwork?

  /// Rows and columns of a terminal.
  public struct TerminalSize: ManifestPart, Sendable, Equatable {
    /// How many rows.
    public var rows: UInt16
    /// How many columns.
    public var columns: UInt16

    init(_ fields: inout FieldReader) throws(ManifestError) {
      rows = try fields.unsigned("rows")
      columns = try fields.unsigned("columns")
    }
  }

  /// Reads host input, refusing what its schema does not know.
  public init(decoding encoded: [UInt8]) throws(ManifestError) {
    self = try FieldReader.document(encoded, "host input")
  }

  init(_ fields: inout FieldReader) throws(ManifestError) {
    env = try fields.variables("env")
    args = fields.has("args") ? try fields.arguments("args") : nil
    hostname = try fields.optionalText("hostname", max: 64)
    terminal = try fields.optionalPart("terminal")
    files = try fields.optionalParts("files", max: HostFile.countMax)
    folders = try fields.optionalParts("folders", max: HostFolder.countMax)
    network = try fields.optionalPart("network")
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
      let own: Text = "HOSTNAME=\(self.hostname)"
      for index in merged.process.env.indices
      where merged.process.env[index].utf8.elementsEqual(own.utf8) {
        merged.process.env[index] = "HOSTNAME=\(hostname)"
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
      merged.process.env.removeAll { $0.utf8.starts(with: name + [61]) }
      merged.process.env.append(variable)
    }
    return merged
  }
}

/// Throws where none of `patterns` covers `name`.
private func require(
  _ patterns: [Text], _ rule: StaticString, _ name: [UInt8]
) throws(ManifestError) {
  guard patterns.contains(where: { isCovered(name, by: Array($0.utf8)) }) else {
    throw ManifestError(code: .notAllowed, field: [UInt8](ascii: rule) + name)
  }
}

/// Whether `name` is `pattern`, in which a trailing `*` stands for any rest.
public func isCovered(_ name: [UInt8], by pattern: [UInt8]) -> Bool {
  pattern.last == UInt8(ascii: "*") ? name.starts(with: pattern.dropLast()) : name == pattern
}
