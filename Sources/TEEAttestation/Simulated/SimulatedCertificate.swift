/// A certificate that a simulated vendor is about to sign; tests make wrong ones of it.
package struct SimulatedCertificate {
  /// The serial number's big-endian octets.
  package var serialNumber: [UInt8]
  /// A Name in DER.
  package var issuer: [UInt8]
  /// A Name in DER.
  package var subject: [UInt8]
  /// First moment of validity.
  package var notBefore: VerificationTime
  /// Last moment of validity.
  package var notAfter: VerificationTime
  /// A SubjectPublicKeyInfo in DER.
  package var publicKeyInfo: [UInt8]
  /// The extensions, in order.
  package var extensions: [X509Extension]

  /// A certificate to be signed.
  package init(
    serialNumber: [UInt8], issuer: [UInt8], subject: [UInt8], notBefore: VerificationTime,
    notAfter: VerificationTime, publicKeyInfo: [UInt8], extensions: [X509Extension]
  ) {
    self.serialNumber = serialNumber
    self.issuer = issuer
    self.subject = subject
    self.notBefore = notBefore
    self.notAfter = notAfter
    self.publicKeyInfo = publicKeyInfo
    self.extensions = extensions
  }

  /// The certificate in DER, signed by `signer`.
  package func signed(by signer: SimulatedSigner) throws(AttestationError) -> [UInt8] {
    let version = DERWriter.element(DERReader.Tag.context(0), DERWriter.integer([2]))
    let tbs = DERWriter.sequence([
      version, DERWriter.integer(serialNumber), signer.algorithm, issuer,
      DERWriter.sequence([DERWriter.time(notBefore), DERWriter.time(notAfter)]), subject,
      publicKeyInfo,
      DERWriter.element(DERReader.Tag.context(3), DERWriter.extensions(extensions)),
    ])
    return DERWriter.sequence([tbs, signer.algorithm, DERWriter.bitString(try signer.sign(tbs))])
  }

  /// basicConstraints and keyUsage of an authority (RFC 5280, sections 4.2.1.3 and 4.2.1.9).
  package static func authority(pathLength: UInt8? = nil, signsLists: Bool) -> [X509Extension] {
    let yes = DERWriter.element(DERReader.Tag.boolean, [0xFF])
    let length = pathLength.map { DERWriter.integer([$0]) } ?? []
    let bits: [UInt8] = signsLists ? [1, 0x06] : [2, 0x04]
    return [
      X509Extension(
        oid: OID.basicConstraints, isCritical: true, value: DERWriter.sequence([yes, length])),
      X509Extension(
        oid: OID.keyUsage, isCritical: true,
        value: DERWriter.element(DERReader.Tag.bitString, bits)),
    ]
  }

  /// The mark of a simulated vendor's root; see ``TrustAnchor/isSimulated``.
  package static let simulationMark = X509Extension(
    oid: SimulationMarker.oid, isCritical: false, value: [DERReader.Tag.null, 0])
}

/// A revocation list that a simulated vendor is about to sign.
package struct SimulatedRevocationList {
  /// A Name in DER.
  package var issuer: [UInt8]
  /// When it is issued.
  package var thisUpdate: VerificationTime
  /// Until when it may be used.
  package var nextUpdate: VerificationTime
  /// Serial numbers listed, as big-endian octets.
  package var serialNumbers: [[UInt8]]

  /// A list to be signed.
  package init(
    issuer: [UInt8], thisUpdate: VerificationTime, nextUpdate: VerificationTime,
    serialNumbers: [[UInt8]]
  ) {
    self.issuer = issuer
    self.thisUpdate = thisUpdate
    self.nextUpdate = nextUpdate
    self.serialNumbers = serialNumbers
  }

  /// The list in DER, signed by `signer`.
  package func signed(by signer: SimulatedSigner) throws(AttestationError) -> [UInt8] {
    let entries = serialNumbers.map {
      DERWriter.sequence([DERWriter.integer($0), DERWriter.time(thisUpdate)])
    }
    let number = X509Extension(
      oid: OID.crlNumber, isCritical: false, value: DERWriter.integer([1]))
    let tbs = DERWriter.sequence([
      DERWriter.integer([1]), signer.algorithm, issuer, DERWriter.time(thisUpdate),
      DERWriter.time(nextUpdate), entries.isEmpty ? [] : DERWriter.sequence(entries),
      DERWriter.element(DERReader.Tag.context(0), DERWriter.extensions([number])),
    ])
    return DERWriter.sequence([tbs, signer.algorithm, DERWriter.bitString(try signer.sign(tbs))])
  }
}

/// What a simulated vendor signs certificates and lists with.
package struct SimulatedSigner: Sendable {
  /// The AlgorithmIdentifier in DER.
  package let algorithm: [UInt8]
  private let operation: @Sendable ([UInt8]) throws -> [UInt8]

  /// A signer that makes the signature of `algorithm` over a message by `operation`.
  package init(algorithm: [UInt8], _ operation: @escaping @Sendable ([UInt8]) throws -> [UInt8]) {
    self.algorithm = algorithm
    self.operation = operation
  }

  /// The signature over `message`, as a certificate's BIT STRING holds it.
  package func sign(_ message: [UInt8]) throws(AttestationError) -> [UInt8] {
    do {
      return try operation(message)
    } catch {
      throw AttestationError(.invalidKey, "the simulated vendor's key does not sign: \(error)")
    }
  }
}
