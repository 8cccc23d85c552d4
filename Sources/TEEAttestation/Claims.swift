import TEEEvidence

/// What evidence says about itself, in the terms that all kinds of TEE share.
public struct Claims: Sendable, Equatable {
  /// The kind of TEE.
  public let tee: TEEKind
  /// SNP launch digest (48 bytes), TDX MRTD (48 bytes), SGX MRENCLAVE or the launch digest of
  /// SEV-ES and SEV (32 bytes).
  public let measurement: [UInt8]
  /// TDX RTMR0 to RTMR3, 48 bytes each; empty for other kinds.
  public let runtimeRegisters: [[UInt8]]
  /// SNP HOST_DATA (32 bytes), TDX MRCONFIGID (48 bytes) or SGX CONFIGID (64 bytes, zero where the
  /// quote has none): where the workload digest is bound.
  public let hostData: [UInt8]
  /// What the guest bound to the evidence, 64 bytes.
  public let reportData: [UInt8]
  /// Whoever signed the TEE's identity: SNP ID key digest (48 bytes, zero where none), SGX MRSIGNER
  /// (32 bytes), TDX MROWNER (48 bytes).
  public let signer: [UInt8]
  /// Whether a debugger may read the TEE.
  public let debug: Bool
  /// Whether the host may move the TEE by a migration agent (SNP) or migration TD (TDX).
  public let migratable: Bool
  /// Privilege level that asked for the report (SNP); nil for other kinds.
  public let vmpl: UInt32?
  /// The platform's security version numbers as the vendor orders them, for display and policies.
  public let tcb: TCBVersion
  /// Identity of the chip or platform: SNP CHIP_ID, or Intel's FMSPC and PPID where known.
  public let chipID: [UInt8]
  /// Every field of the evidence, in its order.
  public let fields: [Claim]

  /// Gathers what a kind of TEE reports.
  package init(
    tee: TEEKind, measurement: [UInt8], runtimeRegisters: [[UInt8]], hostData: [UInt8],
    reportData: [UInt8], signer: [UInt8], debug: Bool, migratable: Bool, vmpl: UInt32?,
    tcb: TCBVersion, chipID: [UInt8], fields: [Claim]
  ) {
    self.tee = tee
    self.measurement = measurement
    self.runtimeRegisters = runtimeRegisters
    self.hostData = hostData
    self.reportData = reportData
    self.signer = signer
    self.debug = debug
    self.migratable = migratable
    self.vmpl = vmpl
    self.tcb = tcb
    self.chipID = chipID
    self.fields = fields
  }
}

/// Security version numbers with their names, such as `bootloader` 4, `snp` 24, or for Intel
/// `tcb_evaluation_data_number`, `pcesvn` and `sgx_01` to `sgx_16`.
public struct TCBVersion: Sendable, Equatable {
  /// One named number.
  public struct Component: Sendable, Equatable {
    /// The component's name.
    public let name: String
    /// Its security version number.
    public let version: UInt32

    /// Creates a component.
    public init(_ name: String, _ version: UInt32) {
      self.name = name
      self.version = version
    }
  }

  /// The components, in the vendor's order.
  public let components: [Component]

  /// Creates a version.
  public init(_ components: [Component]) {
    self.components = components
  }

  /// The component `name`, or nil where this platform has none.
  public subscript(name: String) -> UInt32? { components.first { $0.name == name }?.version }
}
