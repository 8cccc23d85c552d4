/// The 48-byte header of a DCAP quote (DCAP ECDSA Quote library API, appendix A.4; TDX DCAP
/// Quoting Library API, appendix A.3).
public struct QuoteHeader: Equatable, Sendable {
  /// Size of the structure in bytes.
  public static let byteCount = QuoteForm.headerByteCount
  /// Intel's quoting enclave vendor identifier, the only one that Intel's collateral covers.
  public static let intelVendorID = QuoteForm.intelVendorID

  /// Which TEE the quote speaks of.
  public typealias TEE = QuoteForm.TEE

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

  init(_ bytes: [UInt8], _ form: QuoteForm) throws(EvidenceError) {
    version = form.version
    tee = form.tee
    var reader = FieldReader(bytes[...])
    try reader.skip("version and types", 8)
    qeSVN = try reader.u16("QE SVN")
    pceSVN = try reader.u16("PCE SVN")
    qeVendorID = try reader.array("QE vendor ID", 16)
    userData = try reader.array("user data", 20)
  }
}
