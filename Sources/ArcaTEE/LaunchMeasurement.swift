import ArcaBytes

/// What evidence of a launch must show about its platform.
public struct LaunchMeasurement: Sendable, Equatable {
  /// SNP launch digest or MRTD, 48 bytes; launch digest of SEV-ES and SEV, 32 bytes.
  public var measurement: [UInt8]
  /// RTMR0 to RTMR3, nil where the files do not tell; empty where the kind has no registers.
  public var runtimeRegisters: [[UInt8]?]

  /// A measurement of these parts.
  public init(_ measurement: [UInt8], runtimeRegisters: [[UInt8]?] = []) {
    self.measurement = measurement
    self.runtimeRegisters = runtimeRegisters
  }

  /// The parts in hexadecimal, separated by commas, `any` for a register that nothing predicts:
  /// what `arca attest verify --measurement` takes.
  public var text: String {
    ([Hex.encode(measurement)] + runtimeRegisters.map { $0.map { Hex.encode($0) } ?? "any" })
      .joined(separator: ",")
  }
}
