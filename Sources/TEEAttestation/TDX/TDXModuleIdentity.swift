import TEEEvidence

/// What a TDX module must be, from TCB information: `tdxModule` for version 1.0, an element of
/// `tdxModuleIdentities` for later ones (PCS API version 4, "Get TCB Info" for TDX).
public struct TDXModuleIdentity: Sendable, Equatable {
  /// `TDX_%02X` of the module's major version; nil for `tdxModule`.
  public let id: String?
  /// Expected signer, 48 bytes; zero for Intel's.
  public let mrSigner: [UInt8]
  /// Expected attributes, 8 bytes, under ``attributesMask``.
  public let attributes: [UInt8]
  /// Bits of the attributes that are compared, 8 bytes.
  public let attributesMask: [UInt8]
  /// Levels from newest to oldest; empty for `tdxModule`, whose level the platform's implies.
  public let levels: [EnclaveTCBLevel]

  private static let id = JSONKey("id")
  private static let mrSigner = JSONKey("mrsigner")
  private static let attributes = JSONKey("attributes")
  private static let attributesMask = JSONKey("attributesMask")
  private static let levels = JSONKey("tcbLevels")

  init(_ reader: inout JSONReader) throws(EvidenceError) {
    var id: String?
    var mrSigner: [UInt8]?
    var attributes: [UInt8]?
    var attributesMask: [UInt8]?
    var levels: [EnclaveTCBLevel] = []
    try reader.beginObject()
    while let key = try reader.nextKey() {
      switch key {
      case TDXModuleIdentity.id: id = String(decoding: try reader.plainString(), as: UTF8.self)
      case TDXModuleIdentity.mrSigner: mrSigner = try reader.hex("mrsigner", 48)
      case TDXModuleIdentity.attributes: attributes = try reader.hex("attributes", 8)
      case TDXModuleIdentity.attributesMask: attributesMask = try reader.hex("attributesMask", 8)
      case TDXModuleIdentity.levels:
        levels = try reader.list("tcbLevels") {
          (reader: inout JSONReader) throws(EvidenceError) in try EnclaveTCBLevel(&reader)
        }
      default: try reader.skipValue()
      }
    }
    self.id = id
    self.mrSigner = try required(mrSigner, "mrsigner")
    self.attributes = try required(attributes, "attributes")
    self.attributesMask = try required(attributesMask, "attributesMask")
    self.levels = levels
  }
}
