import ArcaBytes

/// What evidence of a launch must show about its platform.
public struct LaunchMeasurement: Sendable, Equatable {
  /// SNP launch digest or MRTD, 48 bytes; MRENCLAVE or launch digest of SEV-ES and SEV, 32 bytes.
  public var measurement: [UInt8]
  /// RTMR0 to RTMR3, nil where the files do not tell; empty where the kind has no registers.
  public var runtimeRegisters: [[UInt8]?]

  /// The workload digest that the measurement itself covers, 32 bytes: MRENCLAVE's; nil elsewhere.
  public var workload: [UInt8]?

  /// A measurement of these parts.
  public init(
    _ measurement: [UInt8], runtimeRegisters: [[UInt8]?] = [], workload: [UInt8]? = nil
  ) {
    self.workload = workload
    self.measurement = measurement
    self.runtimeRegisters = runtimeRegisters
  }

  /// The parts in hexadecimal, separated by commas, `any` for a register that nothing predicts, and
  /// after a colon the workload digest that it covers: what `arca attest verify --measurement`
  /// takes.
  public var text: String {
    ([Hex.encode(measurement)] + runtimeRegisters.map { $0.map { Hex.encode($0) } ?? "any" })
      .joined(separator: ",") + (workload.map { ":" + Hex.encode($0) } ?? "")
  }
}
