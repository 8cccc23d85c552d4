import TEEAttestation
import Testing

@Suite struct CertificateFormTests {
  @Test func `a certificate says what was written`() throws {
    let written = try SimulatedCase()
    let der = try written.ask.signed(by: written.askSigner)
    let read = try X509Certificate(der: der)
    #expect(read.serialNumber == SimulatedIssuance.askSerialNumber)
    #expect(read.issuer.elementsEqual(written.ask.issuer))
    #expect(read.subject.elementsEqual(written.ask.subject))
    #expect(read.commonName == "SEV-Milan")
    #expect(read.notBefore == written.ask.notBefore)
    #expect(read.isAuthority)
    #expect(read.pathLengthMax == 0)
    #expect(read.signatureAlgorithm == .rsaPSSSHA384)
    #expect(
      try X509Certificate(der: written.leaf.signed(by: written.leafSigner)).serialNumber == [0])
  }

  @Test func `bytes after a certificate are refused`() throws {
    let written = try SimulatedCase()
    let der = try written.ask.signed(by: written.askSigner)
    #expect(X509Tests.code { _ = try X509Certificate(der: der + [0]) } == .malformed)
    #expect(X509Tests.code { _ = try X509Certificate(der: der.dropLast()) } == .malformed)
    let large = [UInt8](repeating: 0, count: X509Certificate.bytesMax + 1)
    #expect(X509Tests.code { _ = try X509Certificate(der: large) } == .tooLarge)
  }

  @Test func `extensions are understood, optional, or refused`() throws {
    func code(_ extensions: [X509Extension]) throws -> AttestationError.Code? {
      var written = try SimulatedCase()
      written.leaf.extensions += extensions
      let der = try written.leaf.signed(by: written.leafSigner)
      return X509Tests.code { _ = try X509Certificate(der: der) }
    }
    let unknown: [UInt8] = [0x55, 0x1D, 0x7F]
    #expect(try code([X509Extension(oid: unknown, isCritical: false, value: [])]) == nil)
    #expect(
      try code([X509Extension(oid: unknown, isCritical: true, value: [])])
        == .unknownCriticalExtension)
    let twice = X509Extension(oid: unknown, isCritical: false, value: [])
    #expect(try code([twice, twice]) == .malformed)
    let many = (0..<33).map { X509Extension(oid: [0x55, $0], isCritical: false, value: []) }
    #expect(try code(many) == .tooLarge)
    let usage: [UInt8] = [0x55, 0x1D, 0x0F]
    #expect(try code([X509Extension(oid: usage, isCritical: true, value: [3, 0])]) == .malformed)
  }

  @Test func `a list says what was written and whom it names`() throws {
    var written = try SimulatedCase()
    written.list?.serialNumbers = [[0x01], [0x80], [0x12, 0x34]]
    let der = try #require(try written.list?.signed(by: written.listSigner))
    for list in [
      try X509CRL(der), try X509CRL(Array(PEM.encode(der, label: "X509 CRL").utf8)),
    ] {
      #expect(list.entryCount == 3)
      #expect(list.lists([0x12, 0x34]))
      #expect(list.lists([0x00, 0x80]))
      #expect(!list.lists([0x34]))
      #expect(list.nextUpdate == written.list?.nextUpdate)
    }
    #expect(X509Tests.code { _ = try X509CRL(der + [0]) } == .malformed)
    #expect(X509Tests.code { _ = try X509CRL([]) } == .malformed)
    let wrongLabel = Array(PEM.encode(der, label: "CERTIFICATE").utf8)
    #expect(X509Tests.code { _ = try X509CRL(wrongLabel) } == .malformed)
  }
}
