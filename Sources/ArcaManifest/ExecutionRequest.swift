import ArcaBytes

/// A program that the host wants to run beside the workload, where ``HostRules/execute`` lets it.
public struct ExecutionRequest: Sendable {
  /// The program and how it runs.
  public var process: WorkloadProcess
  /// The size of its terminal, or nil for pipes.
  public var terminal: HostInput.TerminalSize?

  /// A request of these parts.
  public init(process: WorkloadProcess, terminal: HostInput.TerminalSize?) {
    self.process = process
    self.terminal = terminal
  }

  /// Reads a request, refusing what its schema does not know.
  public init(decoding encoded: [UInt8]) throws(ManifestError) {
    let value: CBOR
    do {
      value = try CBOR.decode(encoded)
    } catch {
      throw ManifestError(.encoding, "execution request")
    }
    var fields = try FieldReader(value, path: [])
    process = try WorkloadProcess(try fields.map("process"))
    if let given = fields.optional("terminal") {
      terminal = try HostInput.TerminalSize(try FieldReader(given, path: fields.name("terminal")))
    }
    try fields.expectEnd()
  }

  /// The process that `manifest` lets run: with no more privileges than the workload itself has,
  /// and its limits.
  public func process(in manifest: WorkloadManifest) throws(ManifestError) -> WorkloadProcess {
    guard manifest.hostMay.execute else { throw ManifestError(.notAllowed, "hostMay.execute") }
    guard terminal == nil || manifest.hostMay.attachTerminal else {
      throw ManifestError(.notAllowed, "hostMay.attachTerminal")
    }
    var allowed = process
    allowed.capabilities &= manifest.process.capabilities
    allowed.ambientCapabilities &= manifest.process.ambientCapabilities
    allowed.rlimits = manifest.process.rlimits
    allowed.noNewPrivileges = process.noNewPrivileges || manifest.process.noNewPrivileges
    return allowed
  }
}

extension HostInput.TerminalSize {
  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    rows = UInt16(try fields.unsigned("rows", max: 65_535))
    columns = UInt16(try fields.unsigned("columns", max: 65_535))
    try fields.expectEnd()
  }
}
