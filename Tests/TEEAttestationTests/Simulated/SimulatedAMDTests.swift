import TEEAttestation
import TEEEvidence
import Testing

@Suite struct SimulatedAMDTests {
  @Test func `a vendor made once is stored, read back and verifies`() throws {
    let made = try SimulatedAMD.create(product: .genoa, at: SimulatedCase.start)
    let files = Dictionary(uniqueKeysWithValues: made.files.map { ($0.name, $0.content) })
    let vendor = try SimulatedAMD { files[$0] }
    #expect(vendor.product == .genoa)
    let report = try vendor.device().report(
      reportData: [1, 2, 3], hostData: [4], measurement: [5])
    var policy = AppraisalPolicy.vendorOnly
    policy.reportData = .oneOf([[1, 2, 3]])
    policy.workload = .oneOf([[4]])
    let verifier = Verifier(anchors: try TrustAnchors(certificates: [vendor.ark]))
    let evidence = try #require(
      Evidence(detecting: report, certificateTable: vendor.certificateTable))
    let refused = verifier.verdict(on: evidence, under: policy, at: SimulatedCase.start)
    #expect(refused.kind == .untrustedRoot)
    #expect(refused.simulated)
    #expect(refused.reasons.map(\.name) == ["policy.simulated"])
    policy.dangerouslyAcceptSimulatedEvidence = true
    let trusted = verifier.verdict(on: evidence, under: policy, at: SimulatedCase.start)
    #expect(trusted.isTrusted, "\(trusted.reasons)")
    #expect(trusted.accepted?.verified.simulated == true)
    let real = Verifier().verdict(on: evidence, under: policy, at: SimulatedCase.start)
    #expect(real.kind == .untrustedRoot)
  }

  @Test func `a missing or wrong file is named`() throws {
    #expect(X509Tests.code { _ = try SimulatedAMD { _ in nil } } == .inputOutput)
    #expect(X509Tests.code { _ = try SimulatedAMD { _ in [0] } } == .invalidKey)
  }

  @Test func `a device needs the key of its certificate`() throws {
    let sound = try SimulatedCase()
    let vcek = try sound.leaf.signed(by: sound.leafSigner)
    let other = [UInt8](repeating: 1, count: 48)
    #expect(
      X509Tests.code { _ = try SimulatedSNPDevice(vcekPrivateKey: other, vcek: vcek) }
        == .invalidKey)
    #expect(
      X509Tests.code { _ = try SimulatedSNPDevice(vcekPrivateKey: [1], vcek: vcek) }
        == .invalidKey)
    let ask = try sound.ask.signed(by: sound.askSigner)
    #expect(
      X509Tests.code { _ = try SimulatedSNPDevice(vcekPrivateKey: other, vcek: ask) }
        == .malformed)
  }
}
