/// A version 2 certificate revocation list (RFC 5280, section 5), read strictly.
///
/// Reading checks the structure alone; signature and time are for ``CertificatePath``.
public struct X509CRL: Sendable {
  /// Upper bound in bytes; Intel's largest lists are below a tenth of it.
  public static let bytesMax = 4 << 20

  /// The list in DER.
  public let der: [UInt8]
  /// The algorithm of ``signature``.
  public let signatureAlgorithm: SignatureAlgorithm
  /// When it was issued.
  public let thisUpdate: VerificationTime
  /// Until when the next is issued; this one is not to be used later.
  public let nextUpdate: VerificationTime
  /// How many certificates are listed.
  public let entryCount: Int

  private let tbsRange: Range<Int>
  private let issuerRange: Range<Int>
  private let entriesRange: Range<Int>
  private let signatureRange: Range<Int>

  /// Reads a list in DER, or in PEM with one `X509 CRL` block.
  public init(_ bytes: [UInt8]) throws(AttestationError) {
    guard bytes.first == 45 else {
      try self.init(der: bytes)
      return
    }
    let blocks = try PEM.blocks(bytes)
    guard blocks.count == 1, let block = blocks.first, block.label == "X509 CRL" else {
      throw AttestationError(.malformed, "PEM: expected one X509 CRL block")
    }
    try self.init(der: block.der)
  }

  /// Reads one list that fills `der` exactly.
  public init(der: [UInt8]) throws(AttestationError) {
    guard der.count <= Self.bytesMax else {
      throw AttestationError(.tooLarge, "revocation list of \(der.count) bytes")
    }
    self.der = der
    var file = DERReader(der)
    var list = try file.nested()
    try file.expectEnd()
    let tbsElement = try list.element(DERReader.Tag.sequence)
    tbsRange = tbsElement.whole
    let outerAlgorithm = der[try list.element(DERReader.Tag.sequence).content]
    signatureRange = try list.wholeBitString()
    try list.expectEnd()

    var tbs = DERReader(der, tbsElement.content)
    guard try tbs.smallInteger() == 1 else {
      throw AttestationError(.malformed, "revocation list: not version 2")
    }
    let algorithm = der[try tbs.element(DERReader.Tag.sequence).content]
    guard algorithm.elementsEqual(outerAlgorithm) else {
      throw AttestationError(.malformed, "revocation list: two different signature algorithms")
    }
    signatureAlgorithm = SignatureAlgorithm(encoded: algorithm)
    issuerRange = try tbs.element(DERReader.Tag.sequence).whole
    thisUpdate = try X509Certificate.time(&tbs)
    nextUpdate = try X509Certificate.time(&tbs)
    let entries = try tbs.optional(DERReader.Tag.sequence)
    entriesRange = entries?.content ?? 0..<0
    entryCount = try Self.countEntries(der, entriesRange)
    if tbs.nextTag == DERReader.Tag.context(0) {
      var wrapper = try tbs.nested(DERReader.Tag.context(0))
      try Self.refuseUnknown(
        try X509Certificate.extensions(&wrapper), [OID.crlNumber, OID.authorityKeyIdentifier])
      try wrapper.expectEnd()
    }
    try tbs.expectEnd()
  }

  /// The signed part.
  var tbs: ArraySlice<UInt8> { der[tbsRange] }
  /// The signature's octets.
  var signature: ArraySlice<UInt8> { der[signatureRange] }
  /// Who issued it: a Name in DER.
  public var issuer: ArraySlice<UInt8> { der[issuerRange] }

  /// Whether the list names the certificate with the serial number `serial` (content octets).
  public func lists(_ serial: [UInt8]) -> Bool {
    var entries = DERReader(der, entriesRange)
    while var entry = try? entries.nested() {
      if let found = try? entry.integer(), der[found].elementsEqual(serial) { return true }
    }
    return false
  }

  private static func countEntries(
    _ der: [UInt8], _ range: Range<Int>
  ) throws(AttestationError) -> Int {
    var entries = DERReader(der, range)
    var count = 0
    while !entries.isAtEnd {
      var entry = try entries.nested()
      _ = try entry.integer()
      _ = try X509Certificate.time(&entry)
      if !entry.isAtEnd {
        try refuseUnknown(
          try X509Certificate.extensions(&entry), [OID.reasonCode, OID.invalidityDate])
      }
      try entry.expectEnd()
      count += 1
    }
    return count
  }

  private static func refuseUnknown(
    _ extensions: [X509Extension], _ known: [[UInt8]]
  ) throws(AttestationError) {
    for item in extensions where item.isCritical && !known.contains(item.oid) {
      throw AttestationError(.unknownCriticalExtension, "revocation list: extension \(item.oid)")
    }
  }
}
