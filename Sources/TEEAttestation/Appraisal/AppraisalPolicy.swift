/// What a policy says about one field: that it does not matter, or which values are accepted.
///
/// There is no third state, so nothing goes unchecked because somebody forgot it.
public enum Expectation<Value: Sendable & Equatable>: Sendable, Equatable {
  /// Every value is accepted.
  case any
  /// Only these values are accepted; an empty list accepts none.
  case oneOf([Value])

  /// Whether `value` is accepted.
  public func accepts(_ value: Value) -> Bool {
    switch self {
    case .any: return true
    case .oneOf(let values): return values.contains(value)
    }
  }
}

/// The reference value of a platform: what firmware, kernel, initrd and kernel command line measure
/// as on one kind of TEE.
public struct PlatformMeasurement: Sendable, Equatable {
  /// SNP, SEV-ES or SEV launch digest, TDX MRTD or SGX MRENCLAVE.
  public let measurement: [UInt8]
  /// TDX: what RTMR0 to RTMR3 must be, each explicitly; empty for other kinds.
  ///
  /// TDX evidence whose reference value leaves them out is refused, since MRTD covers the firmware
  /// alone.
  public let runtimeRegisters: [Expectation<[UInt8]>]
  /// SGX, SEV-ES and SEV: the workload digest that the measurement covers, by the word of whoever
  /// computed it, since these bind it in no field of its own; nil for other kinds.
  public let workload: [UInt8]?

  /// Creates a reference value.
  public init(
    _ measurement: [UInt8], runtimeRegisters: [Expectation<[UInt8]>] = [], workload: [UInt8]? = nil
  ) {
    self.workload = workload
    self.measurement = measurement
    self.runtimeRegisters = runtimeRegisters
  }
}

/// A demand on one field of one kind of evidence, such as `author_key_digest` or `isv_prod_id`.
public struct FieldDemand: Sendable, Equatable {
  /// The claim's name in ``Claims/fields``; evidence that has no such claim is refused.
  public let name: String
  /// The claim's values that are accepted, as ``ClaimValue/text`` shows them.
  public let accepted: [String]

  /// Demands that the claim `name` has one of the values `accepted`.
  public init(_ name: String, oneOf accepted: [String]) {
    self.name = name
    self.accepted = accepted
  }
}

/// What a relying party demands of evidence; every field must be given.
public struct AppraisalPolicy: Sendable, Equatable {
  /// A name by which results call this policy.
  public var identifier: String
  /// Kinds of TEE.
  public var tee: Expectation<TEEKind>
  /// Reference values of the platform.
  public var platform: Expectation<PlatformMeasurement>
  /// Workload digests (32 bytes); compared with HOST_DATA, MRCONFIGID or CONFIGID, zero-padded.
  public var workload: Expectation<[UInt8]>
  /// Report data; values shorter than 64 bytes are zero-padded.
  public var reportData: Expectation<[UInt8]>
  /// SNP ID key digests or SGX MRSIGNER.
  public var signer: Expectation<[UInt8]>
  /// SNP privilege levels that may have asked for the report.
  public var vmpl: Expectation<UInt32>
  /// Chip or platform identities.
  public var chipID: Expectation<[UInt8]>
  /// Whether the TEE may be migratable.
  public var migratable: Expectation<Bool>
  /// Lowest accepted security version numbers by component; the components named must exist.
  public var minimumTCB: [TCBVersion.Component]
  /// Further demands on fields that only some kinds of evidence have.
  public var fields: [FieldDemand]
  /// TCB statuses accepted where the vendor issues one; `Revoked` never is, whatever this says.
  public var acceptedStatuses: [TCBStatus]
  /// Advisories that may apply.
  public var advisories: Expectation<String>
  /// Accept a TEE that a debugger can read.
  public var dangerouslyAcceptDebug: Bool
  /// Accept evidence under a simulated vendor's root.
  public var dangerouslyAcceptSimulatedEvidence: Bool
  /// Decide without a revocation list where none was given; one that is given is always checked.
  public var dangerouslyAcceptMissingRevocationLists: Bool

  /// Creates a policy; nothing has a default but `fields`, which can only demand more.
  public init(
    identifier: String, tee: Expectation<TEEKind>, platform: Expectation<PlatformMeasurement>,
    workload: Expectation<[UInt8]>, reportData: Expectation<[UInt8]>,
    signer: Expectation<[UInt8]>, vmpl: Expectation<UInt32>, chipID: Expectation<[UInt8]>,
    migratable: Expectation<Bool>, minimumTCB: [TCBVersion.Component], fields: [FieldDemand] = [],
    acceptedStatuses: [TCBStatus], advisories: Expectation<String>,
    dangerouslyAcceptDebug: Bool, dangerouslyAcceptSimulatedEvidence: Bool,
    dangerouslyAcceptMissingRevocationLists: Bool
  ) {
    self.identifier = identifier
    self.tee = tee
    self.platform = platform
    self.workload = workload
    self.reportData = reportData
    self.signer = signer
    self.vmpl = vmpl
    self.chipID = chipID
    self.migratable = migratable
    self.minimumTCB = minimumTCB
    self.fields = fields
    self.acceptedStatuses = acceptedStatuses
    self.advisories = advisories
    self.dangerouslyAcceptDebug = dangerouslyAcceptDebug
    self.dangerouslyAcceptSimulatedEvidence = dangerouslyAcceptSimulatedEvidence
    self.dangerouslyAcceptMissingRevocationLists = dangerouslyAcceptMissingRevocationLists
  }

  /// The policy that judges the vendor's part alone; a start to narrow down from.
  ///
  /// Any TEE, workload and report data; no debug, no simulation, an up-to-date platform, revocation
  /// lists needed.
  public static let vendorOnly = AppraisalPolicy(
    identifier: "vendor-only", tee: .any, platform: .any, workload: .any, reportData: .any,
    signer: .any, vmpl: .any, chipID: .any, migratable: .any, minimumTCB: [],
    acceptedStatuses: [.upToDate], advisories: .any, dangerouslyAcceptDebug: false,
    dangerouslyAcceptSimulatedEvidence: false, dangerouslyAcceptMissingRevocationLists: false)
}
