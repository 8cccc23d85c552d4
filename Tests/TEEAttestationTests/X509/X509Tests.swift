import ArcaTestSupport
import TEEAttestation
import Testing

@Suite struct X509Tests {
  static func code(_ body: () throws -> Void) -> AttestationError.Code? {
    do {
      try body()
      return nil
    } catch {
      return (error as? AttestationError)?.code
    }
  }

  @Test(
    arguments: [
      [0x30], [0x30, 0x01], [0x30, 0x80], [0x30, 0x81, 0x05, 0, 0, 0, 0, 0], [0x30, 0x82, 0, 0x80],
      [0x30, 0x84, 0, 0, 0, 1, 0], [0x1F, 0x01, 0], [0x30, 0x00, 0x00],
    ] as [[UInt8]])
  func `DER that is not strict is refused`(_ bytes: [UInt8]) {
    let found = Self.code {
      var reader = DERReader(bytes)
      _ = try reader.element()
      try reader.expectEnd()
    }
    #expect(found == .malformed)
  }

  @Test func `integers must be minimal`() throws {
    for bytes in [[2, 0], [2, 2, 0, 0x7F], [2, 2, 0xFF, 0x80]] as [[UInt8]] {
      #expect(
        Self.code {
          var reader = DERReader(bytes)
          _ = try reader.integer()
        } == .malformed)
    }
    var reader = DERReader([2, 2, 0, 0xDB])
    #expect(try reader.smallInteger() == 0xDB)
    var negative = DERReader([2, 1, 0x80])
    #expect(Self.code { _ = try negative.smallInteger() } == .malformed)
  }

  @Test func `written DER is read back`() throws {
    let long = DERWriter.element(4, [UInt8](repeating: 9, count: 70_000))
    var reader = DERReader(long)
    #expect(try reader.element(4).content.count == 70_000)
    try reader.expectEnd()
    var integer = DERReader(DERWriter.integer([0, 0x80]))
    #expect(try integer.smallInteger() == 0x80)
  }

  @Test(arguments: [
    "1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2025-06-01T00:00:00Z", "2049-12-31T23:59:59Z",
    "2100-03-01T12:30:45Z", "1950-01-01T00:00:00Z",
  ])
  func `times are read and written alike`(_ text: String) throws {
    let time = try #require(VerificationTime(text))
    #expect(time.text == text)
    var reader = DERReader(DERWriter.time(time))
    #expect(try X509CRLTimeProbe.read(&reader) == time)
  }

  @Test func `known moments have their seconds`() {
    #expect(VerificationTime("2025-06-15T15:06:40Z")?.unixSeconds == 1_750_000_000)
    #expect(VerificationTime("1969-12-31T23:59:59Z")?.unixSeconds == -1)
  }

  @Test(arguments: [
    "2025-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2025-13-01T00:00:00Z", "2025-00-01T00:00:00Z",
    "2025-01-01T24:00:00Z", "2025-01-01T00:60:00Z", "2025-01-01 00:00:00Z", "2025-01-01T00:00:00",
    "2025-1-01T00:00:00ZZ",
  ])
  func `what is no moment is refused`(_ text: String) {
    #expect(VerificationTime(text) == nil)
  }

  @Test func `PEM is written and read back`() throws {
    for count in [0, 1, 2, 3, 47, 48, 49, 1_000] {
      let der = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
      let text = PEM.encode(der, label: "CERTIFICATE")
      #expect(try PEM.blocks(Array(text.utf8)).map(\.der) == [der])
      #expect(text.split(separator: "\n").allSatisfy { $0.count <= 64 })
    }
    let two = PEM.encode([1], label: "A") + "\n\n" + PEM.encode([2], label: "B") + "\0"
    #expect(try PEM.blocks(Array(two.utf8)).map(\.label) == ["A", "B"])
  }

  @Test(arguments: [
    "-----BEGIN A-----\nAQ==\n", "-----BEGIN A-----\nAQ==\n-----END B-----\n", "AQ==",
    "-----BEGIN A-----\nAR==\n-----END A-----\n", "-----BEGIN A-----\nAQ=\n-----END A-----\n",
    "-----BEGIN A-----\nA===\n-----END A-----\n", "-----BEGIN A-----\nA Q=\n-----END A-----\n",
  ])
  func `PEM that is not strict is refused`(_ text: String) {
    #expect(Self.code { _ = try PEM.blocks(Array(text.utf8)) } == .malformed)
  }

  @Test func `PEM without end or bound is refused`() {
    let many = String(repeating: PEM.encode([1], label: "A"), count: PEM.blocksMax + 1)
    #expect(Self.code { _ = try PEM.blocks(Array(many.utf8)) } == .tooLarge)
    let large = [UInt8](repeating: 10, count: PEM.bytesMax + 1)
    #expect(Self.code { _ = try PEM.blocks(large) } == .tooLarge)
  }

  @Test func `the vendors' roots are pinned`() {
    let names = TrustAnchors.vendors.anchors.map { $0.certificate.commonName }
    #expect(names == ["ARK-Milan", "ARK-Genoa", "ARK-Turin", "Intel SGX Root CA"])
    #expect(TrustAnchors.vendors.anchors.allSatisfy { $0.isVendors && !$0.isSimulated })
  }

  @Test(.enabled(if: VectorFolder.isPresent))
  func `the pinned roots are those that the vendors published`() {
    let published = ["ark-milan", "ark-genoa", "ark-turin", "intel-sgx-root-ca"]
      .map { VectorFolder.file("trust-anchors/\($0).der") }
    #expect(published == TrustAnchors.vendors.anchors.map { $0.certificate.der })
  }
}

/// Reads a time as a revocation list does.
enum X509CRLTimeProbe {
  static func read(_ reader: inout DERReader) throws -> VerificationTime {
    let name = DERWriter.name(organization: "o", commonName: "c")
    let algorithm = DERWriter.sequence([DERWriter.oid([0x2A])])
    let element = try reader.element()
    let time = Array(reader.bytes[element.whole])
    let tbs = DERWriter.sequence([DERWriter.integer([1]), algorithm, name, time, time])
    return try X509CRL(der: DERWriter.sequence([tbs, algorithm, DERWriter.bitString([])]))
      .thisUpdate
  }
}
