import ArcaTestSupport
import TEEAttestation
import Testing

@Suite struct SNPVectorTests {
  static let vectors = VectorFolder.evidence("snp")

  @Test func `vectors are present where CI demands them`() {
    #expect(!VectorFolder.isCI || !Self.vectors.isEmpty)
  }

  @Test(.enabled(if: VectorFolder.isPresent), arguments: vectors)
  func `a vector gives its verdict`(_ vector: EvidenceVector) throws {
    let verdict = try Self.verdict(on: vector)
    let found = verdict.kind.rawValue
    if vector.isAmbiguous {
      #expect((found == "valid") == (vector.verdict == "valid"), "\(verdict.reasons)")
    } else {
      #expect(found == vector.verdict, "\(verdict.reasons) \(verdict.missing)")
    }
    #expect(verdict.isTrusted == (found == "valid"))
    #expect(verdict.isTrusted || !verdict.reasons.isEmpty || found == "chain-valid")
    #expect(!verdict.simulated)
  }

  @Test(
    .enabled(if: VectorFolder.isPresent), arguments: vectors.filter { $0.verdict != "malformed" })
  func `a vector states its claims`(_ vector: EvidenceVector) throws {
    guard let claims = try Self.verdict(on: vector).claims else {
      #expect(vector.format == "vcek-certificate")
      return
    }
    for (name, expected) in vector.claims {
      let claim = try #require(claims.fields.first { $0.name == name }, "\(name)")
      let hexadecimal = expected.hasPrefix("0x") ? UInt64(expected.dropFirst(2), radix: 16) : nil
      #expect(claim.value.text == hexadecimal.map { "\($0)" } ?? expected, "\(name)")
    }
  }

  static func verdict(on vector: EvidenceVector) throws -> Verdict {
    let time = try #require(VerificationTime(vector.time))
    let anchors = try vector.rootFile.map { name in
      try TrustAnchors(certificates: [#require(vector.file(name))])
    }
    let verifier = Verifier(anchors: anchors ?? .vendors)
    var certificates = ["vcek.der", "vlek.der", "ask.der", "asvk.der", "ark.der"]
      .compactMap(vector.file)
    guard let report = vector.file("report.bin") else {
      // The vendor's authorities of every product line; the chain takes those it names.
      for line in ["milan", "genoa", "turin"] {
        certificates += ["ask", "asvk"].compactMap {
          VectorFolder.file("trust-anchors/\($0)-\(line).der")
        }
      }
      return verifier.verdict(
        onChainOf: AMDEndorsements(certificates: certificates), needsRevocationList: false, at: time
      )
    }
    var policy = AppraisalPolicy.vendorOnly
    policy.dangerouslyAcceptMissingRevocationLists = true
    return verifier.verdict(
      on: Evidence(kind: .snp, document: report),
      with: Endorsements(
        amd: AMDEndorsements(certificates: certificates, revocationList: vector.file("crl.der"))),
      under: policy, at: time)
  }
}
