import ArcaBytes

/// What `arca-init` learns of an enclave from its environment, which MRENCLAVE covers.
public struct EnclaveEnvironment: Sendable, Equatable {
  private static let header = "[loader.env]"

  /// The variables, `NAME=value`.
  public let variables: [String]

  /// The variables of an enclave of `kind` that runs `workload`, 32 bytes.
  public init(_ kind: LaunchKind, workload: [UInt8]) {
    variables = ["ARCA_TEE=\(kind.rawValue)", "ARCA_WORKLOAD=\(Hex.encode(workload))"]
  }

  /// The table `loader.env` of a Gramine manifest.
  public var table: TOMLTable {
    variables.reduce(into: TOMLTable([:])) { table, variable in
      let parts = variable.split(separator: "=", maxSplits: 1)
      table.append(String(parts[0]), .text(String(parts[1])))
    }
  }

  /// Reads what ``table`` became out of a whole manifest: an enclave is told what is measured.
  ///
  /// - Throws: ``TEEError/Code/description`` where it has no such table, or a line of another form.
  public init(manifest: [UInt8]) throws(TEEError) {
    let lines = String(decoding: manifest, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false)
    let table = lines.drop { $0 != Self.header }.dropFirst().prefix { !$0.isEmpty }
    var variables: [String] = []
    for line in table {
      let parts = line.split(separator: " = \"")
      guard parts.count == 2, parts[1].hasSuffix("\"") else {
        throw TEEError(.description, "the enclave's manifest: \(line): no variable")
      }
      variables.append("\(parts[0])=\(parts[1].dropLast())")
    }
    guard !variables.isEmpty else {
      throw TEEError(.description, "the enclave's manifest: no loader.env")
    }
    self.variables = variables
  }
}
