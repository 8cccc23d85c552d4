/// One extension of a certificate or revocation list (RFC 5280, section 4.2).
public struct X509Extension: Sendable, Equatable {
  /// Content octets of the object identifier.
  public let oid: [UInt8]
  /// Whether a reader that does not know it must refuse the certificate.
  public let isCritical: Bool
  /// What the extension's OCTET STRING holds.
  public let value: [UInt8]

  package init(oid: [UInt8], isCritical: Bool, value: [UInt8]) {
    self.oid = oid
    self.isCritical = isCritical
    self.value = value
  }
}

/// An X.509 version 3 certificate (RFC 5280, section 4.1), read strictly.
///
/// Both vendors' chains take this one path: AMD's RSASSA-PSS and Intel's ECDSA. Reading checks the
/// structure alone; signatures, validity and trust are for ``CertificatePath``.
public struct X509Certificate: Sendable {
  /// No vendor's certificate is near this size, in bytes.
  public static let bytesMax = 16_384
  /// No vendor's certificate has near this many extensions.
  public static let extensionsMax = 32

  /// The certificate in DER.
  public let der: [UInt8]
  /// Content octets of the serial number; AMD issues VCEKs with the serial number 0.
  public let serialNumber: [UInt8]
  /// The algorithm of ``signature``.
  public let signatureAlgorithm: SignatureAlgorithm
  /// First moment of validity.
  public let notBefore: VerificationTime
  /// Last moment of validity.
  public let notAfter: VerificationTime
  /// Every extension, in order.
  public let extensions: [X509Extension]
  /// Whether basicConstraints says that it may issue certificates.
  public let isAuthority: Bool
  /// How many authorities may follow below it, or nil for no limit.
  public let pathLengthMax: Int?
  /// Bits of keyUsage, bit 0 (digitalSignature) the highest of 16; nil where it is absent.
  public let keyUsage: UInt16?

  private let tbsRange: Range<Int>
  private let issuerRange: Range<Int>
  private let subjectRange: Range<Int>
  private let keyRange: Range<Int>
  private let signatureRange: Range<Int>

  /// Reads one certificate that fills `der` exactly.
  public init(der: [UInt8]) throws(AttestationError) {
    guard der.count <= Self.bytesMax else {
      throw AttestationError(.tooLarge, "certificate of \(der.count) bytes")
    }
    self.der = der
    var file = DERReader(der)
    var certificate = try file.nested()
    try file.expectEnd()
    let tbsElement = try certificate.element(DERReader.Tag.sequence)
    tbsRange = tbsElement.whole
    let outerAlgorithm = der[try certificate.element(DERReader.Tag.sequence).content]
    signatureRange = try certificate.wholeBitString()
    try certificate.expectEnd()

    var tbs = DERReader(der, tbsElement.content)
    var version = try tbs.nested(DERReader.Tag.context(0))
    guard try version.smallInteger() == 2, version.isAtEnd else {
      throw AttestationError(.malformed, "certificate: not version 3")
    }
    let serial = try tbs.integer()
    guard serial.count <= 21 else {
      throw AttestationError(.tooLarge, "certificate: serial number of \(serial.count) bytes")
    }
    serialNumber = Array(der[serial])
    let algorithm = der[try tbs.element(DERReader.Tag.sequence).content]
    guard algorithm.elementsEqual(outerAlgorithm) else {
      throw AttestationError(.malformed, "certificate: two different signature algorithms")
    }
    signatureAlgorithm = SignatureAlgorithm(encoded: algorithm)
    issuerRange = try tbs.element(DERReader.Tag.sequence).whole
    var validity = try tbs.nested()
    notBefore = try Self.time(&validity)
    notAfter = try Self.time(&validity)
    try validity.expectEnd()
    subjectRange = try tbs.element(DERReader.Tag.sequence).whole
    keyRange = try tbs.element(DERReader.Tag.sequence).whole
    var list = try tbs.nested(DERReader.Tag.context(3))
    try tbs.expectEnd()
    extensions = try Self.extensions(&list)
    try list.expectEnd()
    let constraints = try Self.constraints(of: extensions)
    isAuthority = constraints.isAuthority
    pathLengthMax = constraints.pathLength
    keyUsage = constraints.keyUsage
  }

  /// The signed part.
  var tbs: ArraySlice<UInt8> { der[tbsRange] }
  /// The signature's octets.
  var signature: ArraySlice<UInt8> { der[signatureRange] }
  /// Who issued it: a Name in DER.
  public var issuer: ArraySlice<UInt8> { der[issuerRange] }
  /// Whom it names: a Name in DER.
  public var subject: ArraySlice<UInt8> { der[subjectRange] }
  /// The SubjectPublicKeyInfo in DER.
  public var publicKeyInfo: ArraySlice<UInt8> { der[keyRange] }

  /// Reads the public key.
  public func publicKey() throws(AttestationError) -> X509PublicKey {
    try X509PublicKey(der, keyRange)
  }

  /// The value of the extension `oid`, or nil.
  public func extensionValue(_ oid: [UInt8]) -> [UInt8]? {
    extensions.first { $0.oid == oid }?.value
  }

  /// The subject's last commonName, or nil.
  public var commonName: String? {
    var name: String?
    var outer = DERReader(der, subjectRange)
    guard var sets = try? outer.nested() else { return nil }
    while !sets.isAtEnd {
      guard var set = try? sets.nested(DERReader.Tag.set), var pair = try? set.nested(),
        let oid = try? pair.element(DERReader.Tag.oid), let value = try? pair.element()
      else { return nil }
      if der[oid.content].elementsEqual(OID.commonName) {
        name = String(decoding: der[value.content], as: UTF8.self)
      }
    }
    return name
  }

  /// keyUsage bits (RFC 5280, section 4.2.1.3).
  enum KeyUsage {
    static let certificateSigning: UInt16 = 1 << 10
    static let listSigning: UInt16 = 1 << 9
  }

  /// Whether the certificate may be used for `usage`: keyUsage is absent or names it.
  func allows(_ usage: UInt16) -> Bool {
    keyUsage.map { $0 & usage != 0 } ?? true
  }

  /// Reads a UTCTime or GeneralizedTime in the form that RFC 5280, section 4.1.2.5 demands.
  static func time(_ reader: inout DERReader) throws(AttestationError) -> VerificationTime {
    let element = try reader.element()
    var digits = reader.bytes[element.content]
    guard digits.popLast() == 90 else { throw AttestationError(.malformed, "time is not UTC") }
    switch element.tag {
    case DERReader.Tag.utcTime:
      guard digits.count == 12, let first = digits.first else { break }
      if let time = VerificationTime(digits: ((first >= 53 ? [49, 57] : [50, 48]) + digits)[...]) {
        return time
      }
    case DERReader.Tag.generalizedTime:
      if let time = VerificationTime(digits: digits) { return time }
    default: break
    }
    throw AttestationError(.malformed, "time of an unknown form")
  }

  /// Reads a SEQUENCE OF Extension, each at most once.
  static func extensions(_ reader: inout DERReader) throws(AttestationError) -> [X509Extension] {
    var list = try reader.nested()
    var found: [X509Extension] = []
    while !list.isAtEnd {
      var item = try list.nested()
      let oid = Array(item.bytes[try item.element(DERReader.Tag.oid).content])
      let critical = item.nextTag == DERReader.Tag.boolean ? try item.boolean() : false
      let value = Array(item.bytes[try item.element(DERReader.Tag.octetString).content])
      try item.expectEnd()
      guard found.count < extensionsMax else {
        throw AttestationError(.tooLarge, "more than \(extensionsMax) extensions")
      }
      guard !found.contains(where: { $0.oid == oid }) else {
        throw AttestationError(.malformed, "extension \(oid) occurs twice")
      }
      found.append(X509Extension(oid: oid, isCritical: critical, value: value))
    }
    return found
  }

  private static func constraints(
    of extensions: [X509Extension]
  ) throws(AttestationError) -> (isAuthority: Bool, pathLength: Int?, keyUsage: UInt16?) {
    var isAuthority = false
    var pathLength: Int?
    var keyUsage: UInt16?
    for item in extensions {
      var value = DERReader(item.value)
      if item.oid == OID.basicConstraints {
        var fields = try value.nested()
        try value.expectEnd()
        if fields.nextTag == DERReader.Tag.boolean { isAuthority = try fields.boolean() }
        if !fields.isAtEnd { pathLength = try fields.smallInteger() }
        try fields.expectEnd()
      } else if item.oid == OID.keyUsage {
        let bits = try value.element(DERReader.Tag.bitString).content
        try value.expectEnd()
        guard (2...3).contains(bits.count), let first = bits.first, item.value[first] < 8 else {
          throw AttestationError(.malformed, "keyUsage")
        }
        let low = bits.count == 3 ? UInt16(item.value[first + 2]) : 0
        keyUsage = UInt16(item.value[first + 1]) << 8 | low
      } else if item.isCritical {
        throw AttestationError(.unknownCriticalExtension, "extension \(item.oid)")
      }
    }
    return (isAuthority, pathLength, keyUsage)
  }
}

extension X509Certificate {
  /// Reads every CERTIFICATE block of `pem`, in order.
  public static func chain(pem: [UInt8]) throws(AttestationError) -> [X509Certificate] {
    var chain: [X509Certificate] = []
    for block in try PEM.blocks(pem) {
      guard block.label == "CERTIFICATE" else {
        throw AttestationError(.malformed, "PEM: \(block.label), expected CERTIFICATE")
      }
      chain.append(try X509Certificate(der: block.der))
    }
    return chain
  }
}
