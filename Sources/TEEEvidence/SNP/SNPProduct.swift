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
}

/// The security version numbers of an SNP platform's firmware (AMD 56860, TCB_VERSION).
public struct SNPTCBVersion: Sendable, Equatable {
  /// Firmware management controller; Turin alone has one, elsewhere 0.
  public var fmc: UInt8
  /// Boot loader of the security processor.
  public var bootloader: UInt8
  /// Operating system of the security processor.
  public var tee: UInt8
  /// SNP firmware.
  public var snp: UInt8
  /// Microcode of the cores.
  public var microcode: UInt8
  /// The bytes that the layout reserves, in order: four on Milan and Genoa, three on Turin.
  public var reserved: [UInt8]

  /// Creates a version whose reserved bytes are zero.
  public init(
    fmc: UInt8 = 0, bootloader: UInt8, tee: UInt8, snp: UInt8, microcode: UInt8,
    product: SNPProduct
  ) {
    self.fmc = fmc
    self.bootloader = bootloader
    self.tee = tee
    self.snp = snp
    self.microcode = microcode
    reserved = [UInt8](repeating: 0, count: product == .turin ? 3 : 4)
  }

  /// Reads the eight bytes of `field` in the layout of `product`; missing bytes read as zero.
  public init(_ field: [UInt8], product: SNPProduct) {
    func byte(_ index: Int) -> UInt8 { index < field.count ? field[index] : 0 }
    microcode = byte(7)
    if product == .turin {
      fmc = byte(0)
      bootloader = byte(1)
      tee = byte(2)
      snp = byte(3)
      reserved = [byte(4), byte(5), byte(6)]
    } else {
      fmc = 0
      bootloader = byte(0)
      tee = byte(1)
      reserved = [byte(2), byte(3), byte(4), byte(5)]
      snp = byte(6)
    }
  }

  /// The eight bytes in the layout of `product`.
  public func encoded(product: SNPProduct) -> [UInt8] {
    product == .turin
      ? [fmc, bootloader, tee, snp] + reserved + [microcode]
      : [bootloader, tee] + reserved + [snp, microcode]
  }
}
