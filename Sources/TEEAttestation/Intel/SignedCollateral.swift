import TEEEvidence

/// A document of Intel's that signs the exact bytes of an inner object:
/// `{"NAME":{…},"signature":"…"}` (PCS API version 4).
public struct SignedCollateral: Sendable {
  /// The whole document.
  public let bytes: [UInt8]
  /// Where the signed object is in ``bytes``.
  public let signedRange: Range<Int>
  /// ECDSA P-256 signature: r ‖ s, big-endian, 64 bytes.
  public let signature: [UInt8]

  /// The signed object's bytes.
  public var signedBytes: ArraySlice<UInt8> { bytes[signedRange] }

  /// Reads the envelope and lets `read` take the object `member` where it stands, so that what is
  /// read is what is signed.
  init(
    _ bytes: [UInt8], member: JSONKey,
    read: (inout JSONReader) throws(EvidenceError) -> Void
  ) throws(EvidenceError) {
    var reader = JSONReader(bytes)
    var range: Range<Int>?
    var signature: [UInt8]?
    try reader.beginObject()
    while let key = try reader.nextKey() {
      if key == member {
        // A second object could be the one that is read while the first is the one signed.
        guard range == nil else { throw EvidenceError(.invalid, "document", at: reader.offset) }
        reader.skipSpace()
        let start = reader.offset
        try read(&reader)
        range = start..<reader.offset
      } else if key == SignedCollateral.signatureKey {
        signature = try reader.hex("signature", 64)
      } else {
        try reader.skipValue()
      }
    }
    try reader.expectEnd()
    self.bytes = bytes
    signedRange = try required(range, "document")
    self.signature = try required(signature, "signature")
  }

  private static let signatureKey = JSONKey("signature")
}

/// The value of a member that its document must have.
func required<Value>(_ value: Value?, _ field: StaticString) throws(EvidenceError) -> Value {
  guard let value else { throw EvidenceError(.missing, field) }
  return value
}
