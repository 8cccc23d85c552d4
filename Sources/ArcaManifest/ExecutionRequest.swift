/// A program that the host wants to run beside the workload, where ``HostRules/execute`` lets it.
public struct ExecutionRequest: ManifestPart, Sendable {
  /// The program and how it runs.
  public var process: WorkloadProcess
  /// The size of its terminal, or nil for pipes.
  public var terminal: HostInput.TerminalSize?

  /// Reads a request, refusing what its schema does not know.
  public init(decoding encoded: [UInt8]) throws(ManifestError) {
    self = try FieldReader.document(encoded, "execution request")
  }

  init(_ fields: inout FieldReader) throws(ManifestError) {
    process = try fields.part("process")
    terminal = try fields.optionalPart("terminal")
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
