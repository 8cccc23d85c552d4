/// What the TDX module tells a trust domain about itself: TDREPORT_STRUCT (Intel TDX Module ABI,
/// "TDREPORT_STRUCT"), 1024 bytes.
///
/// Its MAC can only be checked on the machine that made it; a TD that asked the module itself
/// (TDG.MR.REPORT) need not, since no host comes between.
public struct TDReportStructure: Equatable, Sendable {
  /// Size in bytes.
  public static let byteCount = 1024
  /// `REPORTTYPE.TYPE` of a TD.
  public static let type: UInt8 = 0x81

  /// What the TD asked to be bound, 64 bytes.
  public let reportData: [UInt8]
  /// The configuration that was fixed at the launch (MRCONFIGID), 48 bytes.
  public let mrConfigID: [UInt8]

  /// Reads the structure.
  public init(_ bytes: [UInt8]) throws(EvidenceError) {
    guard bytes.count == Self.byteCount else {
      throw EvidenceError(.invalid, "size of TDREPORT", at: 0)
    }
    guard bytes[0] == Self.type else { throw EvidenceError(.unknownType, "REPORTTYPE", at: 0) }
    // REPORTMACSTRUCT: type, CPUSVN and two hashes come first; TDINFO_STRUCT begins at 512 with
    // ATTRIBUTES, XFAM and MRTD.
    reportData = Array(bytes[128..<192])
    mrConfigID = Array(bytes[576..<624])
  }
}
