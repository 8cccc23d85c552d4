import TEEAttestation
import TEEEvidence
import Testing

@Suite struct PCKChainTests {
  static let faults: [QuoteFault] = [
    QuoteFault("leaf expired", .expired, ["pck.validity"]) {
      $0.certificate = { role, it in if role == .pck { it.notAfter = QuoteScene.issued } }
    },
    QuoteFault("leaf not yet valid", .expired, ["pck.validity"]) {
      $0.certificate = { role, it in if role == .pck { it.notBefore = QuoteScene.later } }
    },
    QuoteFault("authority expired", .expired, ["pck_ca.validity"]) {
      $0.certificate = { role, it in if role == .pckAuthority { it.notAfter = QuoteScene.issued } }
    },
    QuoteFault("root expired", .expired, ["root.validity", "tcb_info_root.validity"]) {
      $0.certificate = { role, it in if role == .root { it.notAfter = QuoteScene.issued } }
    },
    QuoteFault("leaf of another name", .mismatch, ["pck.subject"]) {
      $0.certificate = { role, it in
        if role == .pck { it.subject = SimulatedIntel.name("Intel SGX TCB Signing") }
      }
    },
    QuoteFault("authority of another name", .mismatch, ["pck_ca.subject"]) {
      $0.certificate = { role, it in
        let name = SimulatedIntel.name("Intel SGX Attestation CA")
        if role == .pckAuthority { it.subject = name }
        if role == .pck { it.issuer = name }
      }
    },
    QuoteFault("leaf names another issuer", .mismatch, ["pck.issuer"]) {
      $0.certificate = { role, it in
        if role == .pck { it.issuer = SimulatedIntel.name("Intel SGX PCK Processor CA") }
      }
    },
    QuoteFault("authority is none", .mismatch, ["pck_ca.may_issue"]) {
      $0.certificate = { role, it in if role == .pckAuthority { it.extensions = [] } }
    },
    QuoteFault("authority may not sign lists", .mismatch, ["pck_crl.issuer_may_sign"]) {
      $0.certificate = { role, it in
        if role == .pckAuthority {
          it.extensions = SimulatedCertificate.authority(pathLength: 0, signsLists: false)
        }
      }
    },
    QuoteFault("leaf without SGX extension", .malformed, ["pck.extension"]) {
      $0.certificate = { role, it in if role == .pck { it.extensions = [] } }
    },
    chain("leaf signature", .tampered, ["pck.signature"]) {
      [QuoteScene.flipped($0.certificate(.pck)), $0.certificate(.pckAuthority), $0.root]
    },
    chain("authority signature", .tampered, ["pck_ca.signature"]) {
      [$0.certificate(.pck), QuoteScene.flipped($0.certificate(.pckAuthority)), $0.root]
    },
    chain("root signature", .tampered, ["root.signature"]) {
      [$0.certificate(.pck), $0.certificate(.pckAuthority), QuoteScene.flipped($0.root)]
    },
    chain("a certificate too many", .mismatch, ["pck_chain.length"]) {
      [$0.certificate(.pck), $0.certificate(.pckAuthority), $0.root, $0.root]
    },
    chain("another platform's leaf", .tampered, ["pck.signature", "qe_report.signature"]) {
      let other = try SimulatedIntel(at: QuoteScene.issued)
      return [other.certificate(.pck), $0.certificate(.pckAuthority), $0.root]
    },
    QuoteFault(
      "root not trusted", .untrustedRoot,
      ["root.trusted", "tcb_info_root.trusted", "qe_identity_root.trusted"]
    ) {
      $0.anchors = .vendors
    },
    QuoteFault("no chain", .malformed, ["quote.certification_data_type"]) {
      $0.quoting.certification = (3, [UInt8](repeating: 7, count: 404))
    },
    QuoteFault("another leaf than the quote's", .mismatch, ["pck_chain.leaf"]) {
      $0.prepare = { $1.certification = (4, QuoteScene.pem([$0.root])) }
      $0.endorsements = { $1.pckChain = $0.pckChain }
    },
    QuoteFault("simulated where that is not accepted", .untrustedRoot, ["policy.simulated"]) {
      $0.policy.dangerouslyAcceptSimulatedEvidence = false
    },
  ]

  @Test(arguments: faults) func `a wrong chain is refused by name`(_ fault: QuoteFault) throws {
    try fault.expect()
  }

  @Test func `a chain is accepted in any order and without its root`() throws {
    let orders: [@Sendable (SimulatedIntel) -> [[UInt8]]] = [
      { [$0.certificate(.pck), $0.root, $0.certificate(.pckAuthority)] },
      { [$0.certificate(.pck), $0.certificate(.pckAuthority)] },
    ]
    for order in orders {
      var scene = QuoteScene.sgx()
      scene.prepare = { $1.certification = (5, QuoteScene.pem(order($0))) }
      #expect(try scene.verdict().kind == .valid)
    }
  }

  @Test(arguments: [UInt16(1), 2, 3, 4])
  func `a chain of the caller's serves where the quote has none`(_ type: UInt16) throws {
    var scene = QuoteScene.tdx4()
    scene.prepare = {
      $1.certification = (
        type,
        type == 4 ? QuoteScene.pem([$0.certificate(.pck)]) : [UInt8](repeating: 7, count: 276)
      )
    }
    scene.endorsements = { $1.pckChain = $0.pckChain }
    #expect(try scene.verdict().isTrusted)
  }

  private static func chain(
    _ description: String, _ kind: VerdictKind, _ reasons: [String],
    _ certificates: @escaping @Sendable (SimulatedIntel) throws -> [[UInt8]]
  ) -> QuoteFault {
    QuoteFault(description, kind, reasons) {
      $0.prepare = { $1.certification = (5, QuoteScene.pem(try certificates($0))) }
    }
  }
}
