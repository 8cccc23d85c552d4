/// The 48-byte header of a DCAP quote (DCAP ECDSA Quote library API, appendix A.4; TDX DCAP
/// Quoting Library API, appendix A.3).
public struct QuoteHeader: Equatable, Sendable {
  /// Size of the structure in bytes.
  public static let byteCount = 48
  /// Intel's quoting enclave vendor identifier, the only one that Intel's collateral covers.
  public static let intelVendorID: [UInt8] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
  ]

  /// Which TEE the quote speaks of.
  public enum TEE: UInt32, Sendable {
    /// An SGX enclave.
    case sgx = 0
    /// A TDX trust domain.
    case tdx = 0x81
  }

  /// Quote format version: 3, 4 or 5.
  public let version: UInt16
  /// Which TEE the quote speaks of.
  public let tee: TEE
  /// Security version of the quoting enclave; version 3 only, else reserved.
  public let qeSVN: UInt16
  /// Security version of the provisioning certification enclave; version 3 only, else reserved.
  public let pceSVN: UInt16
  /// Identifier that the quoting enclave's vendor chose, 16 bytes.
  public let qeVendorID: [UInt8]
  /// Data of the quoting enclave's vendor, 20 bytes.
  public let userData: [UInt8]

  init(_ reader: inout FieldReader) throws(EvidenceError) {
    version = try reader.u16("version")
    guard version >= 3, version <= 5 else {
      throw EvidenceError(.unknownVersion, "version", at: 0)
    }
    // 2 is ECDSA P-256; 3 (P-384) is reserved and was never issued.
    let keyType = try reader.u16("attestation key type")
    guard keyType == 2 else {
      throw EvidenceError(.unknownType, "attestation key type", at: 2)
    }
    let teeType = try reader.u32("TEE type")
    guard let kind = TEE(rawValue: teeType), version != 3 || kind == .sgx else {
      throw EvidenceError(.unknownType, "TEE type", at: 4)
    }
    tee = kind
    qeSVN = try reader.u16("QE SVN")
    pceSVN = try reader.u16("PCE SVN")
    qeVendorID = try reader.array("QE vendor ID", 16)
    guard qeVendorID == QuoteHeader.intelVendorID else {
      throw EvidenceError(.unknownType, "QE vendor ID", at: 12)
    }
    userData = try reader.array("user data", 20)
  }
}
