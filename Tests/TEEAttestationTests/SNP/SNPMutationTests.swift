import ArcaTestSupport
import TEEAttestation
import TEEEvidence
import Testing

@Suite struct SNPMutationTests {
  /// Offsets at which a changed byte is accepted: none.
  ///
  /// Bytes 0 to 0x29F are under the signature; r and s are it; what nothing covers, 0x2D0 to 0x2E7
  /// and 0x318 to 0x49F, must be zero.
  static let uncovered: [Int] = []

  @Test func `no changed byte of a report is accepted`() throws {
    let sound = try SimulatedCase().encoded()
    let bytes = sound.report
    let accepted = try Self.accepted(of: bytes) { ($0, sound.certificates, sound.list) }
    #expect(accepted == Self.uncovered)
  }

  @Test func `no changed byte of the chip's certificate is accepted`() throws {
    let sound = try SimulatedCase().encoded()
    let accepted = try Self.accepted(of: sound.certificates[0]) {
      (sound.report, [$0, sound.certificates[1], sound.certificates[2]], sound.list)
    }
    #expect(accepted == [])
  }

  @Test func `no changed byte of the authority's certificate is accepted`() throws {
    let sound = try SimulatedCase().encoded()
    let accepted = try Self.accepted(of: sound.certificates[1]) {
      (sound.report, [sound.certificates[0], $0, sound.certificates[2]], sound.list)
    }
    #expect(accepted == [])
  }

  @Test func `no changed byte of the revocation list is accepted`() throws {
    let sound = try SimulatedCase().encoded()
    let accepted = try Self.accepted(of: sound.list ?? []) {
      (sound.report, sound.certificates, $0)
    }
    #expect(accepted == [])
  }

  @Test(arguments: [0, 1, 671, 1183, 1185, 2368])
  func `another length is malformed`(_ count: Int) throws {
    var wrong = try SimulatedCase()
    wrong.afterSigning = { $0 = Array(($0 + $0 + $0).prefix(count)) }
    #expect(try wrong.verdict().kind == .malformed)
  }

  @Test(arguments: [0, 1, 6, 0x0100_0003] as [UInt32])
  func `an unknown version is malformed`(_ version: UInt32) throws {
    var wrong = try SimulatedCase()
    wrong.report.version = version
    #expect(try wrong.verdict().kind == .malformed)
  }

  @Test func `an unknown signature algorithm is malformed`() throws {
    var wrong = try SimulatedCase()
    wrong.beforeSigning = { $0[0x34] = 2 }
    #expect(try wrong.verdict().kind == .malformed)
  }

  private static func accepted(
    of bytes: [UInt8], _ parts: ([UInt8]) -> ([UInt8], [[UInt8]], [UInt8]?)
  ) throws -> [Int] {
    let sound = try SimulatedCase()
    let verifier = Verifier(
      anchors: try TrustAnchors(certificates: [sound.encoded().certificates[2]]))
    func isTrusted(_ bytes: [UInt8]) -> Bool {
      let (report, certificates, list) = parts(bytes)
      return verifier.verdict(
        on: Evidence(kind: .snp, document: report),
        with: Endorsements(
          amd: AMDEndorsements(certificates: certificates, revocationList: list)),
        under: sound.policy, at: sound.time
      ).isTrusted
    }
    #expect(isTrusted(bytes))
    return bytes.indices.filter { index in
      var changed = bytes
      return Mutations.values(of: bytes[index]).contains { value in
        changed[index] = value
        return isTrusted(changed)
      }
    }
  }
}
