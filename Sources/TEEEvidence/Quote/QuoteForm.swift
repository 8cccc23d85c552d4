import ArcaBytes

/// The form of an Intel DCAP quote, versions 3 to 5, and what a guest looks at in one of itself; a
/// verifier reads all of it (``Quote``).
///
/// Sources: DCAP ECDSA Quote library API, appendix A.4; TDX DCAP Quoting Library API, appendix A.3.
public struct QuoteForm: Sendable {
  /// Quotes larger than this are refused; real ones have about 5,000 bytes.
  public static let byteCountMax = 1 << 20
  /// Size of the header in bytes.
  public static let headerByteCount = 48
  /// Size of the body that describes an enclave.
  public static let enclaveByteCount = 384
  /// Sizes of the body that describes a trust domain, in TDX 1.0 and 1.5.
  public static let domainByteCounts = (584, 648)
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
  /// The measured state that the quote attests.
  public let body: ArraySlice<UInt8>

  /// Reads the header and the body of the quote at the start of `quote`, and nothing behind them.
  public init(_ quote: [UInt8]) throws(EvidenceError) {
    // The least that there is behind a header: the type and the size of a body.
    guard quote.count >= Self.headerByteCount + 6 else {
      throw EvidenceError(.truncated, "quote's header", at: quote.count)
    }
    version = UInt16(truncatingIfNeeded: quote[0..<2].littleEndian)
    guard (3...5).contains(version) else { throw EvidenceError(.unknownVersion, "version", at: 0) }
    // 2 is ECDSA P-256; 3 (P-384) is reserved and was never issued.
    guard quote[2..<4].littleEndian == 2 else {
      throw EvidenceError(.unknownType, "attestation key type", at: 2)
    }
    let type = UInt32(truncatingIfNeeded: quote[4..<8].littleEndian)
    guard let tee = TEE(rawValue: type), version != 3 || tee == .sgx else {
      throw EvidenceError(.unknownType, "TEE type", at: 4)
    }
    self.tee = tee
    guard quote[12..<28].elementsEqual(Self.intelVendorID) else {
      throw EvidenceError(.unknownType, "QE vendor ID", at: 12)
    }
    var start = Self.headerByteCount
    var count = tee == .sgx ? Self.enclaveByteCount : Self.domainByteCounts.0
    if version == 5 {
      let type = quote[start..<start + 2].littleEndian
      count = Int(quote[start + 2..<start + 6].littleEndian)
      switch (type, count, tee) {
      case (1, Self.enclaveByteCount, .sgx), (2, Self.domainByteCounts.0, .tdx),
        (3, Self.domainByteCounts.1, .tdx):
        start += 6
      default: throw EvidenceError(.invalid, "body type and size", at: start)
      }
    }
    guard quote.count >= start + count else {
      throw EvidenceError(.truncated, "quote's body", at: quote.count)
    }
    body = quote[start..<start + count]
  }

  /// What was asked to be bound (REPORTDATA), 64 bytes.
  public var reportData: [UInt8] { Array(body.dropFirst(tee == .sgx ? 320 : 520).prefix(64)) }
  /// The configuration that was fixed at a trust domain's launch (MRCONFIGID), 48 bytes.
  public var mrConfigID: [UInt8] { Array(body.dropFirst(184).prefix(48)) }
}
