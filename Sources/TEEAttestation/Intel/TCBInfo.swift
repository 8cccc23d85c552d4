import TEEEvidence

/// Intel's TCB information, version 3: the security levels of one kind of platform.
///
/// PCS API version 4, "Get TCB Info". Not verified until its signature is.
public struct TCBInfo: Sendable {
  /// Documents larger than this many bytes are refused; real ones have about 10,000.
  public static let byteCountMax = 1 << 20

  /// Which TEE the levels are for.
  public let tee: QuoteHeader.TEE
  /// When it was issued.
  public let issueDate: VerificationTime
  /// Until when the next is issued.
  public let nextUpdate: VerificationTime
  /// Family, model, stepping and platform, 6 bytes.
  public let fmspc: [UInt8]
  /// Identifier of the provisioning certification enclave, 2 bytes as in the PCK certificate.
  public let pceID: [UInt8]
  /// Number that grows with each TCB recovery.
  public let evaluationDataNumber: UInt32
  /// The TDX module of version 1.0; nil for SGX.
  public let tdxModule: TDXModuleIdentity?
  /// TDX modules of later versions.
  public let tdxModules: [TDXModuleIdentity]
  /// Platform levels from newest to oldest.
  public let levels: [TCBLevel]
  /// The signed document that this was read from.
  public let document: SignedCollateral

  /// Reads the document `{"tcbInfo":{…},"signature":"…"}`.
  ///
  /// Throws `tooLarge`, `trailing`, `unknownVersion`, `unknownType`, `missing` or `invalid`.
  public init(_ bytes: [UInt8]) throws(EvidenceError) {
    guard bytes.count <= TCBInfo.byteCountMax else {
      throw EvidenceError(.tooLarge, "TCB info")
    }
    var fields = Fields()
    document = try SignedCollateral(bytes, member: JSONKey("tcbInfo")) {
      (reader: inout JSONReader) throws(EvidenceError) in try fields.read(&reader)
    }
    guard fields.version == 3 else { throw EvidenceError(.unknownVersion, "version") }
    tee = try required(fields.tee, "id")
    issueDate = try required(fields.issueDate, "issueDate")
    nextUpdate = try required(fields.nextUpdate, "nextUpdate")
    fmspc = try required(fields.fmspc, "fmspc")
    pceID = try required(fields.pceID, "pceId")
    evaluationDataNumber = try required(fields.evaluationDataNumber, "tcbEvaluationDataNumber")
    levels = try required(fields.levels, "tcbLevels")
    // Type 0 is the only order of components that is defined; another would be compared wrongly.
    guard fields.tcbType == 0 else { throw EvidenceError(.unknownType, "tcbType") }
    let isTDX = tee == .tdx
    guard levels.allSatisfy({ ($0.tdxComponents != nil) == isTDX }) else {
      throw EvidenceError(.invalid, "tdxtcbcomponents")
    }
    tdxModule = isTDX ? try required(fields.tdxModule, "tdxModule") : nil
    tdxModules = fields.tdxModules
  }

  private struct Fields {
    var tee: QuoteHeader.TEE?
    var version: UInt32?
    var issueDate: VerificationTime?
    var nextUpdate: VerificationTime?
    var fmspc: [UInt8]?
    var pceID: [UInt8]?
    var tcbType: UInt32?
    var evaluationDataNumber: UInt32?
    var tdxModule: TDXModuleIdentity?
    var tdxModules: [TDXModuleIdentity] = []
    var levels: [TCBLevel]?

    mutating func read(_ reader: inout JSONReader) throws(EvidenceError) {
      try reader.beginObject()
      while let key = try reader.nextKey() {
        switch key {
        case Key.id: tee = try Fields.tee(&reader)
        case Key.version: version = UInt32(try reader.integer(max: UInt64(UInt32.max)))
        case Key.issueDate: issueDate = try reader.time("issueDate")
        case Key.nextUpdate: nextUpdate = try reader.time("nextUpdate")
        case Key.fmspc: fmspc = try reader.hex("fmspc", 6)
        case Key.pceID: pceID = try reader.hex("pceId", 2)
        case Key.tcbType: tcbType = UInt32(try reader.integer(max: UInt64(UInt32.max)))
        case Key.evaluationDataNumber:
          evaluationDataNumber = UInt32(try reader.integer(max: UInt64(UInt32.max)))
        case Key.tdxModule: tdxModule = try TDXModuleIdentity(&reader)
        case Key.tdxModuleIdentities:
          tdxModules = try reader.list("tdxModuleIdentities") {
            (reader: inout JSONReader) throws(EvidenceError) in try TDXModuleIdentity(&reader)
          }
        case Key.tcbLevels:
          levels = try reader.list("tcbLevels") {
            (reader: inout JSONReader) throws(EvidenceError) in try TCBLevel(&reader)
          }
        default: try reader.skipValue()
        }
      }
    }

    private static func tee(_ reader: inout JSONReader) throws(EvidenceError) -> QuoteHeader.TEE {
      let text = try reader.plainString()
      if text.elementsEqual("SGX".utf8) { return .sgx }
      if text.elementsEqual("TDX".utf8) { return .tdx }
      throw EvidenceError(.unknownType, "id", at: reader.offset)
    }
  }

  private enum Key {
    static let id = JSONKey("id")
    static let version = JSONKey("version")
    static let issueDate = JSONKey("issueDate")
    static let nextUpdate = JSONKey("nextUpdate")
    static let fmspc = JSONKey("fmspc")
    static let pceID = JSONKey("pceId")
    static let tcbType = JSONKey("tcbType")
    static let evaluationDataNumber = JSONKey("tcbEvaluationDataNumber")
    static let tdxModule = JSONKey("tdxModule")
    static let tdxModuleIdentities = JSONKey("tdxModuleIdentities")
    static let tcbLevels = JSONKey("tcbLevels")
  }
}
