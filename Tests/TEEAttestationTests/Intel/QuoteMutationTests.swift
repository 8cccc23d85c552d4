import ArcaBytes
import ArcaTestSupport
import TEEAttestation
import TEEEvidence
import Testing

/// Every byte of a quote, changed alone: nothing that is changed is taken for genuine.
@Suite struct QuoteMutationTests {
  /// Quotes are judged without collateral here: `chain-valid` is the weakest acceptance there is,
  /// so whatever fails to reach it would fail with collateral too.
  @Test(arguments: [QuoteScene.sgx(), .tdx4(), .tdx5()])
  func `no changed byte is accepted`(_ scene: QuoteScene) throws {
    let vendor = try scene.vendor()
    let verifier = Verifier(anchors: try TrustAnchors(certificates: [vendor.root]))
    let quote = try scene.quote(vendor)
    let kind: TEEKind = scene.tee == .sgx ? .sgx : .tdx
    func judge(_ bytes: [UInt8]) -> VerdictKind {
      verifier.verdict(
        on: Evidence(kind: kind, document: bytes), under: scene.policy, at: QuoteScene.now
      ).kind
    }
    #expect(judge(quote) == .chainValid)
    let chain = quote.count - vendor.pckChain.count - 1
    var accepted: [Int: Set<UInt8>] = [:]
    for index in quote.indices {
      var changed = quote
      let spaces: [UInt8] = index >= chain ? [0, 9, 10, 13, 32] : []
      for value in Mutations.values(of: quote[index], and: spaces) {
        changed[index] = value
        let found = judge(changed)
        if found == .chainValid || found == .valid { accepted[index, default: []].insert(value) }
      }
    }
    for (index, values) in accepted {
      // The only bytes that nothing covers: ends of lines in the PEM text, which may be LF, CR or
      // NUL, and the NUL after the text, which may be any space.
      #expect(index >= chain && [0, 10].contains(quote[index]), "byte \(index)")
      let spaces: Set<UInt8> = index == quote.count - 1 ? [9, 10, 13, 32] : [0, 13]
      #expect(values.isSubset(of: spaces), "byte \(index): \(values)")
    }
  }

  @Test func `no changed byte of signed collateral is accepted`() throws {
    let scene = QuoteScene.tdx5()
    let vendor = try scene.vendor()
    let verifier = Verifier(anchors: try TrustAnchors(certificates: [vendor.root]))
    let evidence = Evidence(kind: .tdx, document: try scene.quote(vendor))
    let genuine = try scene.endorsed(vendor)
    for part in [\IntelEndorsements.tcbInfo, \.qeIdentity, \.pckRevocationList] {
      let bytes = try #require(genuine[keyPath: part])
      for index in bytes.indices {
        var changed = bytes
        changed[index] ^= 0x01
        var given = genuine
        given[keyPath: part] = changed
        let verdict = verifier.verdict(
          on: evidence, with: Endorsements(intel: given), under: scene.policy, at: QuoteScene.now)
        #expect(!verdict.isTrusted, "byte \(index)")
      }
    }
  }

  @Test(arguments: [QuoteScene.sgx(), .tdx4(), .tdx5()])
  func `no quote that is cut short is read`(_ scene: QuoteScene) throws {
    let quote = try scene.quote(scene.vendor())
    for count in 0..<quote.count {
      #expect(throws: EvidenceError.self) { try Quote(Array(quote.prefix(count))) }
    }
  }
}
