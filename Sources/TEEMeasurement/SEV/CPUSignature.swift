/// The CPUID signature (Fn0000_0001_EAX) that a vCPU starts with in EDX (AMD 25481).
public struct CPUSignature: RawRepresentable, Hashable, Sendable {
  /// The signature as CPUID returns it.
  public let rawValue: UInt32

  /// Takes a signature as CPUID returns it.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// Composes the signature of a family (extended family included), model and stepping.
  public init(family: UInt32, model: UInt32, stepping: UInt32) {
    let base = min(family, 15)
    let extended = (family - base) & 0xff
    rawValue =
      extended << 20 | (model >> 4 & 15) << 16 | base << 8 | (model & 15) << 4 | stepping & 15
  }

  /// The signature of the QEMU CPU model `name`, such as `EPYC-Milan` or `EPYC-Genoa-v1`.
  public init(model name: String) throws(MeasurementError) {
    guard let known = Self.models.first(where: { $0.name == name }) else {
      throw MeasurementError(
        .cpuModelUnknown,
        "no signature is known for CPU model \(name); expected one of "
          + Self.models.map(\.name).joined(separator: ", ") + ", or give the signature itself")
    }
    self = known.signature
  }

  /// The EPYC models of QEMU, each with its signature, in QEMU's order.
  public static let models: [(name: String, signature: CPUSignature)] = {
    let naples = CPUSignature(family: 23, model: 1, stepping: 2)
    let rome = CPUSignature(family: 23, model: 49, stepping: 0)
    let milan = CPUSignature(family: 25, model: 1, stepping: 1)
    let genoa = CPUSignature(family: 25, model: 17, stepping: 0)
    let turin = CPUSignature(family: 26, model: 0, stepping: 0)
    return [
      ("EPYC", naples), ("EPYC-v1", naples), ("EPYC-v2", naples), ("EPYC-IBPB", naples),
      ("EPYC-v3", naples), ("EPYC-v4", naples), ("EPYC-Rome", rome), ("EPYC-Rome-v1", rome),
      ("EPYC-Rome-v2", rome), ("EPYC-Rome-v3", rome), ("EPYC-Milan", milan),
      ("EPYC-Milan-v1", milan), ("EPYC-Milan-v2", milan), ("EPYC-Genoa", genoa),
      ("EPYC-Genoa-v1", genoa), ("EPYC-Turin", turin),
    ]
  }()
}
