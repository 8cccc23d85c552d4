/// The kinds of TEE that design section 6 names and this version can launch, the strongest first.
public enum LaunchKind: String, Sendable, CaseIterable {
  /// AMD SEV-SNP: memory encrypted and protected against the host, reports signed by the chip.
  case snp
  /// Intel TDX: memory encrypted and protected against the host, quotes signed by the platform.
  case tdx
  /// AMD SEV-ES: memory and registers encrypted, measured before the guest runs.
  case sevES = "sev-es"
  /// AMD SEV: memory encrypted, measured before the guest runs.
  case sev
  /// Intel SGX: an enclave, a process whose memory the processor encrypts, run by Gramine.
  case sgx
  /// SEV-SNP, simulated: memory is not encrypted, the root of trust is a key on this machine.
  case simulatedSNP = "sim-snp"
  /// TDX, simulated likewise.
  case simulatedTDX = "sim-tdx"
  /// SGX, simulated likewise: by Gramine without an enclave, or where Gramine is not installed as
  /// processes of the outer container.
  case simulatedSGX = "sim-sgx"

  /// The format in which the TEE says what it is.
  public enum EvidenceFormat: Sendable {
    /// An SNP attestation report.
    case snpReport
    /// A TDX quote.
    case tdxQuote
    /// An SGX quote.
    case sgxQuote
    /// None from inside: the platform measures before the guest runs, and its owner checks that.
    case launchMeasurement
  }

  /// The format in which the TEE says what it is.
  public var format: EvidenceFormat {
    switch self {
    case .snp, .simulatedSNP: .snpReport
    case .tdx, .simulatedTDX: .tdxQuote
    case .sgx, .simulatedSGX: .sgxQuote
    case .sevES, .sev: .launchMeasurement
    }
  }

  /// Whether no hardware protects anything.
  public var isSimulated: Bool { [.simulatedSNP, .simulatedTDX, .simulatedSGX].contains(self) }

  /// Whether the TEE is an enclave: a process of the outer container in place of a machine in it.
  public var isEnclave: Bool { [.sgx, .simulatedSGX].contains(self) }

  /// What is started: a kernel, as an ELF file directly or as a bzImage by the firmware, or an
  /// enclave's first program.
  public var kernelFile: String {
    isEnclave ? "arca-init" : isSimulated ? "vmlinux" : "vmlinuz"
  }

  /// What a user must know before trusting it, or nil.
  public var warning: String? {
    switch self {
    case .snp, .tdx, .sgx: nil
    case .sevES, .sev:
      "\(rawValue): without SEV-SNP the host can move and replay encrypted memory"
        + (self == .sev ? ", and it sees the registers" : "")
    case .simulatedSNP, .simulatedTDX, .simulatedSGX:
      "simulated TEE (\(rawValue)): memory is not encrypted and the root of trust is a key on this "
        + "machine; the host can read and change everything"
    }
  }

  /// Firmware files of a simulated launch; an enclave has none.
  public var simulatedFirmwarePaths: [String] {
    isEnclave ? [] : BootedFiles.simulatedFirmwarePaths
  }
}
