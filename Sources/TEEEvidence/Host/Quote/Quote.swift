/// An Intel DCAP quote with an ECDSA P-256 signature.
///
/// Version 3 (SGX), 4 or 5 (SGX, TDX 1.0 and 1.5). Parsed only: nothing here has been verified.
/// Sources: DCAP ECDSA Quote library API, appendix A.4; TDX DCAP Quoting Library API, appendix A.3.
public struct Quote: Equatable, Sendable {
  /// Quotes larger than this are refused; real ones have about 5,000 bytes.
  public static let byteCountMax = QuoteForm.byteCountMax

  /// What the quote is about.
  public typealias Body = QuoteBody

  /// Version, kind of TEE and quoting enclave.
  public let header: QuoteHeader
  /// The measured state that the quote attests.
  public let body: Body
  /// The bytes that ``signature`` covers: header, in version 5 the body's type and size, body.
  public let signedBytes: ArraySlice<UInt8>
  /// ECDSA P-256 signature by the attestation key: r ‖ s, big-endian, 64 bytes.
  public let signature: [UInt8]
  /// The attestation key: x ‖ y, big-endian, 64 bytes.
  public let attestationKey: [UInt8]
  /// The quoting enclave's report, which binds the attestation key.
  public let qeReport: EnclaveReport
  /// The bytes of ``qeReport``, which ``qeReportSignature`` covers.
  public let qeReportBytes: ArraySlice<UInt8>
  /// ECDSA P-256 signature by the PCK key: r ‖ s, big-endian, 64 bytes.
  public let qeReportSignature: [UInt8]
  /// Data that the QE report binds together with the attestation key.
  public let qeAuthenticationData: [UInt8]
  /// What leads to the PCK certificate.
  public let certification: CertificationData
  /// How many bytes follow the quote; they are covered by nothing and mean nothing.
  public let trailingByteCount: Int

  /// Reads a quote from the start of `bytes`.
  ///
  /// Bytes after the quote are counted, not refused: quotes are often stored padded. Within the
  /// quote every length must be exact. Throws `truncated`, `trailing`, `tooLarge`,
  /// `unknownVersion`, `unknownType` or `invalid`.
  public init(_ bytes: [UInt8]) throws(EvidenceError) {
    guard bytes.count <= Quote.byteCountMax else {
      throw EvidenceError(.tooLarge, "quote")
    }
    let form = try QuoteForm(bytes)
    header = try QuoteHeader(bytes, form)
    body = try QuoteBody(form)
    signedBytes = bytes[..<form.body.endIndex]
    var reader = FieldReader(bytes[form.body.endIndex...], base: form.body.endIndex)
    let count = try reader.u32("signature data length")
    let start = reader.offset
    let data = try reader.slice("signature data", Int(count))
    trailingByteCount = reader.remaining

    var signed = FieldReader(data, base: start)
    signature = try signed.array("quote signature", 64)
    attestationKey = try signed.array("attestation key", 64)
    var inner = header.version == 3 ? signed : try Quote.unwrapQEReport(&signed)
    qeReportBytes = try inner.slice("QE report", EnclaveReport.byteCount)
    qeReport = try EnclaveReport(qeReportBytes)
    qeReportSignature = try inner.array("QE report signature", 64)
    let authenticationCount = try inner.u16("QE authentication data size")
    qeAuthenticationData = try inner.array("QE authentication data", Int(authenticationCount))
    certification = try CertificationData(&inner)
    try inner.expectEnd("quote signature data")
  }

  /// Versions 4 and 5 wrap the QE report and what certifies it in certification data of type 6.
  private static func unwrapQEReport(_ reader: inout FieldReader) throws(EvidenceError)
    -> FieldReader
  {
    let type = try reader.u16("certification data type")
    guard type == CertificationData.qeReportType else {
      throw EvidenceError(.unknownType, "certification data type", at: reader.offset - 2)
    }
    let count = try reader.u32("certification data size")
    let start = reader.offset
    let data = try reader.slice("QE report certification data", Int(count))
    try reader.expectEnd("quote signature data")
    return FieldReader(data, base: start)
  }
}
