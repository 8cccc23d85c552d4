/// The kinds of TEE that design section 6 names and this version can launch.
public enum LaunchKind: String, Sendable, CaseIterable {
  /// SEV-SNP, simulated: memory is not encrypted, the root of trust is a key on this machine.
  case simulatedSNP = "sim-snp"

  /// The strongest kind that this version can launch here.
  public static var strongest: LaunchKind { .simulatedSNP }

  /// Whether no hardware protects anything.
  public var isSimulated: Bool {
    switch self {
    case .simulatedSNP: true
    }
  }

  /// What a user must know before trusting it, or nil.
  public var warning: String? {
    switch self {
    case .simulatedSNP:
      "simulated TEE (sim-snp): memory is not encrypted and the root of trust is a key on this "
        + "machine; the host can read and change everything"
    }
  }
}
