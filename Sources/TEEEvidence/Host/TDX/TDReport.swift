/// A TD report body of a quote: what a trust domain is (TDX DCAP Quoting Library API, appendix
/// A.3: 584 bytes for TDX 1.0, 648 for TDX 1.5).
public struct TDReport: Equatable, Sendable {
  /// How many runtime measurement registers a TD has.
  public static let rtmrCount = 4

  /// Security versions of the TDX module and its loader at launch, 16 bytes.
  public var teeTCBSVN: [UInt8]
  /// Measurement of the TDX module, 48 bytes.
  public var mrSEAM: [UInt8]
  /// Signer of the TDX module, 48 bytes; zero for Intel's.
  public var mrSignerSEAM: [UInt8]
  /// Attributes of the TDX module, 8 bytes.
  public var seamAttributes: [UInt8]
  /// Attributes of the TD, 8 bytes, little-endian.
  public var tdAttributes: [UInt8]
  /// Extended features that the TD may use, 8 bytes, little-endian.
  public var xfam: [UInt8]
  /// Measurement of the TD's initial contents, 48 bytes.
  public var mrTD: [UInt8]
  /// Configuration identifier given at launch, 48 bytes; Arca puts the workload digest here.
  public var mrConfigID: [UInt8]
  /// Owner identifier given at launch, 48 bytes.
  public var mrOwner: [UInt8]
  /// Owner's configuration identifier given at launch, 48 bytes.
  public var mrOwnerConfig: [UInt8]
  /// RTMR0 to RTMR3, 48 bytes each.
  public var rtmrs: [[UInt8]]
  /// Data that the TD put into the report, 64 bytes.
  public var reportData: [UInt8]
  /// TDX 1.5: security versions of the module now running, 16 bytes; nil in a 1.0 body.
  public var teeTCBSVN2: [UInt8]?
  /// TDX 1.5: measurement of bound service TDs, 48 bytes; nil in a 1.0 body.
  public var mrServiceTD: [UInt8]?

  /// A body whose every field is zero, for simulated vendors to fill in.
  public init(is15: Bool) {
    let register = [UInt8](repeating: 0, count: 48)
    teeTCBSVN = [UInt8](repeating: 0, count: 16)
    mrSEAM = register
    mrSignerSEAM = register
    seamAttributes = [UInt8](repeating: 0, count: 8)
    tdAttributes = seamAttributes
    xfam = seamAttributes
    mrTD = register
    mrConfigID = register
    mrOwner = register
    mrOwnerConfig = register
    rtmrs = [[UInt8]](repeating: register, count: TDReport.rtmrCount)
    reportData = [UInt8](repeating: 0, count: 64)
    teeTCBSVN2 = is15 ? teeTCBSVN : nil
    mrServiceTD = is15 ? register : nil
  }

  /// The body as a quote holds it: 584 bytes, or 648 where the fields of TDX 1.5 are present.
  public var encoded: [UInt8] {
    var bytes = teeTCBSVN + mrSEAM + mrSignerSEAM + seamAttributes + tdAttributes + xfam
    bytes += mrTD + mrConfigID + mrOwner + mrOwnerConfig
    for register in rtmrs { bytes += register }
    return bytes + reportData + (teeTCBSVN2 ?? []) + (mrServiceTD ?? [])
  }

  /// Whether the TD runs in debug mode (TD attributes, bit 0): its memory is not confidential.
  public var isDebug: Bool { tdAttributes[0] & 0x01 != 0 }
  /// Whether EPT violations are kept from the guest as exceptions (TD attributes, bit 28).
  public var isSeptVEDisabled: Bool { tdAttributes[3] & 0x10 != 0 }

  /// Whether a migration TD may move the TD to another platform (TD attributes, bit 29).
  public var isMigratable: Bool { tdAttributes[3] & 0x20 != 0 }

  /// Reads a body of exactly 584 or 648 bytes; throws `truncated` or `trailing` otherwise.
  public init(_ bytes: ArraySlice<UInt8>) throws(EvidenceError) {
    var reader = FieldReader(bytes)
    self = try TDReport(&reader, is15: bytes.count > TDReport.byteCount10)
    try reader.expectEnd("TD report body")
  }

  init(_ reader: inout FieldReader, is15: Bool) throws(EvidenceError) {
    teeTCBSVN = try reader.array("TEE_TCB_SVN", 16)
    mrSEAM = try reader.array("MRSEAM", 48)
    mrSignerSEAM = try reader.array("MRSIGNERSEAM", 48)
    seamAttributes = try reader.array("SEAMATTRIBUTES", 8)
    tdAttributes = try reader.array("TDATTRIBUTES", 8)
    xfam = try reader.array("XFAM", 8)
    mrTD = try reader.array("MRTD", 48)
    mrConfigID = try reader.array("MRCONFIGID", 48)
    mrOwner = try reader.array("MROWNER", 48)
    mrOwnerConfig = try reader.array("MROWNERCONFIG", 48)
    var registers: [[UInt8]] = []
    registers.reserveCapacity(TDReport.rtmrCount)
    for _ in 0..<TDReport.rtmrCount { registers.append(try reader.array("RTMR", 48)) }
    rtmrs = registers
    reportData = try reader.array("REPORTDATA", 64)
    teeTCBSVN2 = is15 ? try reader.array("TEE_TCB_SVN2", 16) : nil
    mrServiceTD = is15 ? try reader.array("MRSERVICETD", 48) : nil
  }
}
