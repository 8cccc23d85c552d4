import ArcaBytes

/// An SGX report body, 384 bytes: what an enclave is (Intel SDM volume 3D, "REPORT"; in quotes,
/// the DCAP ECDSA Quote library API, appendix A.4, "Enclave Report Body").
public struct EnclaveReport: Equatable, Sendable {
  /// CPU security version number, 16 bytes.
  public var cpuSVN: [UInt8]
  /// Bits that select extended SSA frame features.
  public var miscSelect: UInt32
  /// Extended product identifier, 16 bytes.
  public var isvExtendedProductID: [UInt8]
  /// Attributes: flags (8 bytes, little-endian), then XFRM (8 bytes).
  public var attributes: [UInt8]
  /// Measurement of the enclave, 32 bytes.
  public var mrEnclave: [UInt8]
  /// SHA-256 of the signer's modulus, 32 bytes.
  public var mrSigner: [UInt8]
  /// Configuration identifier, 64 bytes.
  public var configID: [UInt8]
  /// Product number that the signer gave.
  public var isvProductID: UInt16
  /// Security version that the signer gave.
  public var isvSVN: UInt16
  /// Security version of the configuration.
  public var configSVN: UInt16
  /// Product family identifier, 16 bytes.
  public var isvFamilyID: [UInt8]
  /// Data that the enclave put into the report, 64 bytes.
  public var reportData: [UInt8]

  /// A body whose every field is zero, for simulated vendors to fill in.
  public init() {
    cpuSVN = [UInt8](repeating: 0, count: 16)
    miscSelect = 0
    isvExtendedProductID = cpuSVN
    attributes = cpuSVN
    mrEnclave = [UInt8](repeating: 0, count: 32)
    mrSigner = mrEnclave
    configID = [UInt8](repeating: 0, count: 64)
    isvProductID = 0
    isvSVN = 0
    configSVN = 0
    isvFamilyID = cpuSVN
    reportData = configID
  }

  /// The body as a quote holds it, 384 bytes; reserved fields are zero.
  public var encoded: [UInt8] {
    var writer = ByteWriter(capacity: EnclaveReport.byteCount)
    writer.append(cpuSVN)
    writer.u32(miscSelect)
    writer.zeros(12)
    writer.append(isvExtendedProductID)
    writer.append(attributes)
    writer.append(mrEnclave)
    writer.zeros(32)
    writer.append(mrSigner)
    writer.zeros(32)
    writer.append(configID)
    writer.u16(isvProductID)
    writer.u16(isvSVN)
    writer.u16(configSVN)
    writer.zeros(42)
    writer.append(isvFamilyID)
    writer.append(reportData)
    return writer.bytes
  }

  /// Whether the enclave runs in debug mode (attributes, bit 1): its memory is not confidential.
  public var isDebug: Bool { attributes[0] & 0x02 != 0 }

  /// Reads a body of exactly ``byteCount`` bytes; throws `truncated` or `trailing` otherwise.
  public init(_ bytes: ArraySlice<UInt8>) throws(EvidenceError) {
    var reader = FieldReader(bytes)
    self = try EnclaveReport(&reader)
    try reader.expectEnd("SGX report body")
  }

  init(_ reader: inout FieldReader) throws(EvidenceError) {
    cpuSVN = try reader.array("CPUSVN", 16)
    miscSelect = try reader.u32("MISCSELECT")
    // Reserved fields are signed, so they need no check here, and newer CPUs may use them.
    try reader.skip("reserved", 12)
    isvExtendedProductID = try reader.array("ISVEXTPRODID", 16)
    attributes = try reader.array("ATTRIBUTES", 16)
    mrEnclave = try reader.array("MRENCLAVE", 32)
    try reader.skip("reserved", 32)
    mrSigner = try reader.array("MRSIGNER", 32)
    try reader.skip("reserved", 32)
    configID = try reader.array("CONFIGID", 64)
    isvProductID = try reader.u16("ISVPRODID")
    isvSVN = try reader.u16("ISVSVN")
    configSVN = try reader.u16("CONFIGSVN")
    try reader.skip("reserved", 42)
    isvFamilyID = try reader.array("ISVFAMILYID", 16)
    reportData = try reader.array("REPORTDATA", 64)
  }
}
