/// One security level of a platform, as TCB information lists them from newest to oldest.
public struct TCBLevel: Sendable, Equatable {
  /// Minimum of each SGX component's security version.
  public let sgxComponents: SIMD16<UInt8>
  /// Minimum of each TDX component's security version; nil in TCB information for SGX.
  public let tdxComponents: SIMD16<UInt8>?
  /// Minimum security version of the provisioning certification enclave.
  public let pceSVN: UInt16
  /// What Intel says of a platform at this level.
  public let judgement: TCBJudgement
}

/// One security level of an enclave or TDX module: minimum ISVSVN and what Intel says of it.
public struct EnclaveTCBLevel: Sendable, Equatable {
  /// Minimum ISVSVN of an enclave, or minor version of a TDX module.
  public let isvSVN: UInt16
  /// What Intel says of an enclave or module at this level.
  public let judgement: TCBJudgement
}

/// What Intel says of a security level.
public struct TCBJudgement: Sendable, Equatable {
  /// The level's status.
  public let status: TCBStatus
  /// The date up to which advisories are mitigated at this level.
  public let date: VerificationTime
  /// Security advisories that concern the level, such as `INTEL-SA-00837`.
  public let advisoryIDs: [String]
}
