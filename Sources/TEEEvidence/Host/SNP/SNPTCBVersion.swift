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
    let offsets = product.tcbOffsets
    fmc = offsets.fmc.map(byte) ?? 0
    bootloader = byte(offsets.bootloader)
    tee = byte(offsets.tee)
    snp = byte(offsets.snp)
    microcode = byte(offsets.microcode)
    reserved = (product == .turin ? 4..<7 : 2..<6).map(byte)
  }

  /// The eight bytes in the layout of `product`.
  public func encoded(product: SNPProduct) -> [UInt8] {
    product == .turin
      ? [fmc, bootloader, tee, snp] + reserved + [microcode]
      : [bootloader, tee] + reserved + [snp, microcode]
  }
}
