import TEEAttestation
import TEEEvidence
import Testing

@Suite struct SNPEndorsementTests {
  @Test func `a missing revocation list leaves the verdict undecided`() throws {
    var lacking = try SimulatedCase()
    lacking.list = nil
    let verdict = try lacking.verdict()
    #expect(verdict.kind == .undecided)
    #expect(verdict.decision == .undecided)
    #expect(verdict.missing == ["the revocation list of the product line"])
    lacking.policy.dangerouslyAcceptMissingRevocationLists = true
    #expect(try lacking.verdict().isTrusted)
  }

  @Test func `missing certificates leave the verdict undecided and are named`() throws {
    let sound = try SimulatedCase()
    let bytes = try sound.encoded()
    let verifier = Verifier(anchors: try TrustAnchors(certificates: [bytes.certificates[2]]))
    func missing(_ certificates: [[UInt8]]) -> [String] {
      let verdict = verifier.verdict(
        on: Evidence(kind: .snp, document: bytes.report),
        with: Endorsements(
          amd: AMDEndorsements(certificates: certificates, revocationList: bytes.list)),
        under: sound.policy, at: sound.time)
      #expect(verdict.kind == (verdict.missing.isEmpty ? .valid : .undecided))
      return verdict.missing
    }
    #expect(missing([bytes.certificates[0]]).count == 1)
    #expect(missing([bytes.certificates[1], bytes.certificates[2]]).count == 1)
    #expect(missing([]).count == 2)
    // The root that the caller trusts need not come with the evidence.
    #expect(missing([bytes.certificates[1], bytes.certificates[0]]) == [])
  }

  @Test func `a certificate table alone is enough`() throws {
    let sound = try SimulatedCase()
    let bytes = try sound.encoded()
    let table = SNPCertificateTable([
      .init(.vcek, bytes.certificates[0]), .init(.ask, bytes.certificates[1]),
      .init(.ark, bytes.certificates[2]), .init(.crl, bytes.list ?? []),
    ]).encoded()
    let verifier = Verifier(anchors: try TrustAnchors(certificates: [bytes.certificates[2]]))
    func kind(_ table: [UInt8]) -> VerdictKind {
      verifier.verdict(
        on: Evidence(kind: .snp, document: bytes.report, certificateTable: table),
        under: sound.policy, at: sound.time
      ).kind
    }
    #expect(kind(table) == .valid)
    let extended = try #require(Evidence(detecting: bytes.report + table))
    #expect(extended.document == bytes.report)
    #expect(extended.certificateTable == table)
    #expect(kind(Array(table.dropLast())) == .malformed)
    #expect(kind(Array(table.prefix(24))) == .malformed)
  }

  @Test func `a certificate or list that is no DER is malformed`() throws {
    let sound = try SimulatedCase()
    let bytes = try sound.encoded()
    let verifier = Verifier(anchors: try TrustAnchors(certificates: [bytes.certificates[2]]))
    for (certificates, list) in [
      (bytes.certificates + [[0x30, 0x80]], bytes.list), (bytes.certificates, [0x30, 0x00]),
    ] {
      let verdict = verifier.verdict(
        on: Evidence(kind: .snp, document: bytes.report),
        with: Endorsements(
          amd: AMDEndorsements(certificates: certificates, revocationList: list)),
        under: sound.policy, at: sound.time)
      #expect(verdict.kind == .malformed)
    }
  }

  @Test func `a chain alone is valid and never trusted`() throws {
    let bytes = try SimulatedCase().encoded()
    let verdict = Verifier(anchors: try TrustAnchors(certificates: [bytes.certificates[2]]))
      .verdict(
        onChainOf: AMDEndorsements(certificates: bytes.certificates, revocationList: bytes.list),
        at: SimulatedCase.start)
    #expect(verdict.kind == .chainValid)
    #expect(!verdict.isTrusted)
  }

  @Test func `a simulated root is nobody's vendor`() throws {
    var wrong = try SimulatedCase()
    wrong.anchor = TrustAnchors.vendors.anchors[0].certificate.der
    let verdict = try wrong.verdict()
    #expect(verdict.kind == .untrustedRoot)
    #expect(verdict.reasons.map(\.name) == ["ark.trusted"])
    #expect(verdict.simulated)
  }

  @Test(
    arguments: [
      ([2, 0, 0, 0], TEEKind.snp), ([5, 0, 0, 0], .snp), ([3, 0, 2, 0], .sgx),
      ([4, 0, 2, 0, 0x81], .tdx), ([4, 0, 2, 0, 0], .sgx), ([5, 0, 2, 0, 0x81], .tdx),
      ([4, 0, 3, 0], nil), ([0x7B, 0x22, 0x61, 0x22], nil),
    ] as [([UInt8], TEEKind?)])
  func `the first bytes tell the kind`(_ start: [UInt8], _ kind: TEEKind?) {
    let document = start + [UInt8](repeating: 0, count: 64)
    #expect(Evidence(detecting: document)?.kind == kind)
    #expect(Evidence(detecting: start)?.kind == nil)
  }

  @Test func `tables with wrong headers are refused`() throws {
    let table = SNPCertificateTable([.init(.vcek, [1, 2, 3]), .init(.crl, [])]).encoded()
    #expect(try SNPCertificateTable(table).entries.map(\.content) == [[1, 2, 3], []])
    func code(_ change: (inout [UInt8]) -> Void) -> EvidenceError.Code? {
      var wrong = table
      change(&wrong)
      do throws(EvidenceError) {
        _ = try SNPCertificateTable(wrong)
        return nil
      } catch {
        return error.code
      }
    }
    #expect(code { $0 = Array($0.prefix(71)) } == .truncated)
    #expect(code { $0[16] = 71 } == .invalid)
    #expect(code { $0[19] = 0xFF } == .invalid)
    #expect(code { $0[20] = 4 } == .invalid)
    #expect(code { $0[23] = 0xFF } == .invalid)
    #expect(code { $0[64] = 1 } == .invalid)
    #expect(code { wrong in wrong.replaceSubrange(24..<40, with: wrong[0..<16]) } == .invalid)
    #expect(code { $0 += [UInt8](repeating: 0, count: SNPCertificateTable.bytesMax) } == .tooLarge)
    #expect(code { $0 = [UInt8](repeating: 7, count: 24 * 18) } == .tooLarge)
    #expect(code { $0[0] ^= 1 } == nil)
  }
}
