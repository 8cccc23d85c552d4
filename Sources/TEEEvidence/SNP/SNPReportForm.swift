/// The form of an SEV-SNP attestation report (AMD 56860, ATTESTATION_REPORT), versions 2 to 5, and
/// what a guest looks at in one of itself; a verifier reads all of it (``SNPReport``).
public struct SNPReportForm: Sendable {
  /// Length of a report, in bytes.
  public static let byteCount = 1184

  /// The report's bytes.
  public let bytes: [UInt8]
  /// Version of the layout.
  public var version: UInt8 { bytes[0] }
  /// What the guest asked to have bound, 64 bytes.
  public var reportData: [UInt8] { Array(bytes[0x50..<0x90]) }
  /// What the host bound at launch, 32 bytes.
  public var hostData: [UInt8] { Array(bytes[0xC0..<0xE0]) }

  /// Takes a report that fills `bytes` exactly.
  public init(_ bytes: [UInt8]) throws(EvidenceError) {
    guard bytes.count >= Self.byteCount else {
      throw EvidenceError(.truncated, "report", at: bytes.count)
    }
    guard bytes.count == Self.byteCount else {
      throw EvidenceError(.trailing, "report", at: Self.byteCount)
    }
    guard (2...5).contains(bytes[0]), bytes[1..<4].allSatisfy({ $0 == 0 }) else {
      throw EvidenceError(.unknownVersion, "VERSION", at: 0)
    }
    guard bytes[0x34] == 1, bytes[0x35..<0x38].allSatisfy({ $0 == 0 }) else {
      throw EvidenceError(.unknownType, "SIGNATURE_ALGO", at: 0x34)
    }
    self.bytes = bytes
  }
}
