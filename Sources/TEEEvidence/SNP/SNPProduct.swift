/// AMD's SEV-SNP product lines; each has a root and a TCB layout of its own.
public enum SNPProduct: UInt8, Sendable, CaseIterable {
  /// Third-generation EPYC.
  case milan
  /// Fourth-generation EPYC, Bergamo and Siena included.
  case genoa
  /// Fifth-generation EPYC.
  case turin

  /// The line that the CPUID family and model of a version 3 report name, or nil.
  public init?(family: UInt8, model: UInt8) {
    switch (family, model) {
    case (0x19, 0x00...0x0F): self = .milan
    case (0x19, 0x10...0x1F), (0x19, 0xA0...0xAF): self = .genoa
    case (0x1A, _): self = .turin
    default: return nil
    }
  }

  /// Where a TCB_VERSION holds the security versions of the FMC, where there is one, the boot
  /// loader, the TEE, the SNP firmware and the microcode (AMD 56860, TCB_VERSION).
  public var tcbOffsets: (fmc: Int?, bootloader: Int, tee: Int, snp: Int, microcode: Int) {
    self == .turin ? (0, 1, 2, 3, 7) : (nil, 0, 1, 6, 7)
  }
}
