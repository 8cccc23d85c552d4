import ArcaTestSupport
import TEEAttestation
import Testing

@Suite struct IntelVectorTests {
  static let vectors = VectorFolder.evidence("sgx") + VectorFolder.evidence("tdx")

  @Test func `vectors are present where CI demands them`() {
    #expect(!VectorFolder.isCI || !Self.vectors.isEmpty)
  }

  @Test(.enabled(if: VectorFolder.isPresent), arguments: vectors)
  func `a vector gives its verdict`(_ vector: EvidenceVector) throws {
    let verdict = try Self.verdict(on: vector, accepting: [.upToDate])
    #expect(verdict.kind.rawValue == vector.verdict, "\(verdict.reasons) \(verdict.missing)")
    #expect(verdict.isTrusted == (vector.verdict == "valid"))
    #expect(verdict.isTrusted || !verdict.reasons.isEmpty || vector.verdict == "chain-valid")
    #expect(!verdict.simulated)
    if let status = vector.tcbStatus { #expect(verdict.tcbStatus?.rawValue == status) }
    if let advisories = vector.advisories { #expect(verdict.advisories == advisories.sorted()) }
  }

  /// A policy that accepts every status still accepts no revoked or debuggable platform.
  @Test(.enabled(if: VectorFolder.isPresent), arguments: vectors)
  func `a lenient policy accepts only what verifies`(_ vector: EvidenceVector) throws {
    let verdict = try Self.verdict(on: vector, accepting: TCBStatus.allCases)
    let acceptable = ["valid", "valid-with-advice", "out-of-date"]
    #expect(verdict.isTrusted == acceptable.contains(vector.verdict), "\(verdict.reasons)")
  }

  @Test(
    .enabled(if: VectorFolder.isPresent), arguments: vectors.filter { $0.verdict != "malformed" })
  func `a vector states its claims`(_ vector: EvidenceVector) throws {
    let claims = try #require(Self.verdict(on: vector, accepting: [.upToDate]).claims)
    #expect(claims.tee.rawValue == vector.folder.prefix(3))
    for (name, expected) in vector.claims where name != "body_type" && name != "tee_type" {
      let claim = try #require(claims.fields.first { $0.name == name }, "\(name)")
      #expect(claim.value.text == expected, "\(name)")
    }
  }

  static func verdict(
    on vector: EvidenceVector, accepting statuses: [TCBStatus]
  ) throws -> Verdict {
    let time = try #require(VerificationTime(vector.time))
    let anchors = try vector.rootFile.map { name in
      try TrustAnchors(certificates: [#require(vector.file(name))])
    }
    let intel = IntelEndorsements(
      tcbInfo: vector.file("tcb_info.json"), tcbInfoChain: vector.file("tcb_signing_chain.pem"),
      qeIdentity: vector.file("qe_identity.json"),
      qeIdentityChain: vector.file("qe_identity_chain.pem"),
      rootRevocationList: vector.file("root_ca.crl.der"),
      pckRevocationList: vector.file("pck.crl.der"),
      pckRevocationListChain: vector.file("pck_crl_chain.pem"))
    var policy = AppraisalPolicy.vendorOnly
    policy.acceptedStatuses = statuses
    let kind: TEEKind = vector.folder.hasPrefix("sgx") ? .sgx : .tdx
    return Verifier(anchors: anchors ?? .vendors).verdict(
      on: Evidence(kind: kind, document: try #require(vector.file("quote.bin"))),
      with: Endorsements(intel: intel), under: policy, at: time)
  }
}
