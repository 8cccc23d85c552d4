import ArcaBytes

/// What `arca-init` learns of an enclave from its environment, which MRENCLAVE covers.
public enum EnclaveEnvironment {
  /// The variables, `NAME=value`.
  public static func variables(_ kind: LaunchKind, workload: [UInt8]) -> [String] {
    ["ARCA_TEE=\(kind.rawValue)", "ARCA_WORKLOAD=\(Hex.encode(workload))"]
  }
}
