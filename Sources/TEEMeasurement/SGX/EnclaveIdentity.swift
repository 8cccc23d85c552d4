/// What an enclave's signer states about it, under SIGSTRUCT's signature (Intel SDM volume 3D,
/// section 35.14).
public struct EnclaveIdentity: Sendable, Equatable {
  /// MRENCLAVE; 32 bytes.
  public var mrenclave: [UInt8]
  /// ATTRIBUTES: flags (8 bytes, bit 1 is DEBUG) and XFRM (8 bytes), little-endian.
  public var attributes: [UInt8]
  /// Which bits of ATTRIBUTES the processor compares; 16 bytes.
  public var attributesMask: [UInt8]
  /// MISCSELECT; bit 0 is EXINFO.
  public var miscSelect: UInt32
  /// Which bits of MISCSELECT the processor compares.
  public var miscMask: UInt32
  /// The product's number.
  public var productID: UInt16
  /// The product's security version.
  public var securityVersion: UInt16
  /// The signing date as eight decimal digits in hexadecimal: 0x20260131.
  public var date: UInt32

  /// States everything.
  public init(
    mrenclave: [UInt8], attributes: [UInt8], attributesMask: [UInt8], miscSelect: UInt32,
    miscMask: UInt32, productID: UInt16, securityVersion: UInt16, date: UInt32
  ) {
    self.mrenclave = mrenclave
    self.attributes = attributes
    self.attributesMask = attributesMask
    self.miscSelect = miscSelect
    self.miscMask = miscMask
    self.productID = productID
    self.securityVersion = securityVersion
    self.date = date
  }

  /// States what `gramine-sgx-sign` states for the manifest; `date` is as in ``date``.
  public init(manifest: GramineManifest, mrenclave: [UInt8], date: UInt32) {
    // Bit 2 is MODE64BIT, bit 1 DEBUG; every flag is compared.
    let flags: UInt64 = manifest.isDebuggable ? 6 : 4
    self.init(
      mrenclave: mrenclave,
      attributes: littleEndian(flags) + littleEndian(manifest.xfrm.value),
      attributesMask: littleEndian(UInt64.max) + littleEndian(manifest.xfrm.mask),
      miscSelect: manifest.keepsExceptionInformation ? 1 : 0, miscMask: .max,
      productID: manifest.productID, securityVersion: manifest.securityVersion, date: date)
  }
}

func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
  stride(from: 0, to: Value.bitWidth, by: 8).map { UInt8(truncatingIfNeeded: value >> $0) }
}
