import TEEEvidence

/// Intel's identity of its quoting enclaves, version 2: what a quoting enclave must be.
///
/// PCS API version 4, "Get Quoting Enclave Identity". Not verified until its signature is.
public struct QEIdentity: Sendable {
  /// Which quoting enclave, by the TEE whose quotes it signs.
  public let tee: QuoteHeader.TEE
  /// When it was issued.
  public let issueDate: VerificationTime
  /// Until when the next is issued.
  public let nextUpdate: VerificationTime
  /// Number that grows with each TCB recovery.
  public let evaluationDataNumber: UInt32
  /// Expected MISCSELECT, 4 bytes little-endian, under ``miscSelectMask``.
  public let miscSelect: [UInt8]
  /// Bits of MISCSELECT that are compared, 4 bytes.
  public let miscSelectMask: [UInt8]
  /// Expected attributes, 16 bytes, under ``attributesMask``.
  public let attributes: [UInt8]
  /// Bits of the attributes that are compared, 16 bytes.
  public let attributesMask: [UInt8]
  /// Expected signer, 32 bytes.
  public let mrSigner: [UInt8]
  /// Expected product number.
  public let isvProductID: UInt16
  /// Levels from newest to oldest.
  public let levels: [EnclaveTCBLevel]
  /// The signed document that this was read from.
  public let document: SignedCollateral

  /// Reads the document `{"enclaveIdentity":{…},"signature":"…"}`.
  ///
  /// Throws `tooLarge`, `trailing`, `unknownVersion`, `unknownType`, `missing` or `invalid`.
  public init(_ bytes: [UInt8]) throws(EvidenceError) {
    guard bytes.count <= TCBInfo.byteCountMax else {
      throw EvidenceError(.tooLarge, "QE identity")
    }
    var fields = Fields()
    document = try SignedCollateral(bytes, member: JSONKey("enclaveIdentity")) {
      (reader: inout JSONReader) throws(EvidenceError) in try fields.read(&reader)
    }
    guard fields.version == 2 else { throw EvidenceError(.unknownVersion, "version") }
    tee = try required(fields.tee, "id")
    issueDate = try required(fields.issueDate, "issueDate")
    nextUpdate = try required(fields.nextUpdate, "nextUpdate")
    evaluationDataNumber = try required(fields.evaluationDataNumber, "tcbEvaluationDataNumber")
    miscSelect = try required(fields.miscSelect, "miscselect")
    miscSelectMask = try required(fields.miscSelectMask, "miscselectMask")
    attributes = try required(fields.attributes, "attributes")
    attributesMask = try required(fields.attributesMask, "attributesMask")
    mrSigner = try required(fields.mrSigner, "mrsigner")
    isvProductID = try required(fields.isvProductID, "isvprodid")
    levels = try required(fields.levels, "tcbLevels")
  }

  private struct Fields {
    var tee: QuoteHeader.TEE?
    var version: UInt32?
    var issueDate: VerificationTime?
    var nextUpdate: VerificationTime?
    var evaluationDataNumber: UInt32?
    var miscSelect: [UInt8]?
    var miscSelectMask: [UInt8]?
    var attributes: [UInt8]?
    var attributesMask: [UInt8]?
    var mrSigner: [UInt8]?
    var isvProductID: UInt16?
    var levels: [EnclaveTCBLevel]?

    mutating func read(_ reader: inout JSONReader) throws(EvidenceError) {
      try reader.beginObject()
      while let key = try reader.nextKey() {
        switch key {
        case Key.id: tee = try Fields.tee(&reader)
        case Key.version: version = UInt32(try reader.integer(max: UInt64(UInt32.max)))
        case Key.issueDate: issueDate = try reader.time("issueDate")
        case Key.nextUpdate: nextUpdate = try reader.time("nextUpdate")
        case Key.evaluationDataNumber:
          evaluationDataNumber = UInt32(try reader.integer(max: UInt64(UInt32.max)))
        // The document writes the integer most significant byte first.
        case Key.miscSelect: miscSelect = try reader.hex("miscselect", 4).reversed()
        case Key.miscSelectMask: miscSelectMask = try reader.hex("miscselectMask", 4).reversed()
        case Key.attributes: attributes = try reader.hex("attributes", 16)
        case Key.attributesMask: attributesMask = try reader.hex("attributesMask", 16)
        case Key.mrSigner: mrSigner = try reader.hex("mrsigner", 32)
        case Key.isvProductID: isvProductID = UInt16(try reader.integer(max: UInt64(UInt16.max)))
        case Key.tcbLevels:
          levels = try reader.list("tcbLevels") {
            (reader: inout JSONReader) throws(EvidenceError) in try EnclaveTCBLevel(&reader)
          }
        default: try reader.skipValue()
        }
      }
    }

    private static func tee(_ reader: inout JSONReader) throws(EvidenceError) -> QuoteHeader.TEE {
      let text = try reader.plainString()
      if text.elementsEqual("QE".utf8) { return .sgx }
      if text.elementsEqual("TD_QE".utf8) { return .tdx }
      throw EvidenceError(.unknownType, "id", at: reader.offset)
    }
  }

  private enum Key {
    static let id = JSONKey("id")
    static let version = JSONKey("version")
    static let issueDate = JSONKey("issueDate")
    static let nextUpdate = JSONKey("nextUpdate")
    static let evaluationDataNumber = JSONKey("tcbEvaluationDataNumber")
    static let miscSelect = JSONKey("miscselect")
    static let miscSelectMask = JSONKey("miscselectMask")
    static let attributes = JSONKey("attributes")
    static let attributesMask = JSONKey("attributesMask")
    static let mrSigner = JSONKey("mrsigner")
    static let isvProductID = JSONKey("isvprodid")
    static let tcbLevels = JSONKey("tcbLevels")
  }
}
