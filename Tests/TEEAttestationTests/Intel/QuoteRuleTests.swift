import TEEAttestation
import TEEEvidence
import Testing

@Suite struct QuoteRuleTests {
  static let faults: [QuoteFault] = [
    QuoteFault("quote signature", .tampered, ["quote.signature"]) {
      $0.document = { $0[48 + 6 + TDReport.byteCount15 + 4] ^= 1 }
    },
    QuoteFault("body after signing", .tampered, ["quote.signature"], tee: .sgx) {
      $0.document = { $0[48 + 320] ^= 1 }
    },
    QuoteFault("QE report signature", .tampered, ["qe_report.signature"]) {
      $0.document = { $0[48 + 6 + TDReport.byteCount15 + 4 + 128 + 6 + 384] ^= 1 }
    },
    QuoteFault("attestation key not bound", .tampered, ["qe_report.report_data"]) {
      $0.quoting.bindsAttestationKey = false
    },
    QuoteFault("authentication data changed", .tampered, ["qe_report.report_data"]) {
      $0.document = { $0[48 + 6 + TDReport.byteCount15 + 4 + 128 + 6 + 384 + 64 + 2] ^= 1 }
    },
    QuoteFault("QE signer", .tampered, ["qe_report.mrsigner"]) {
      $0.quoting.report.mrSigner[0] ^= 1
    },
    QuoteFault("QE product", .mismatch, ["qe_report.isvprodid"]) {
      $0.quoting.report.isvProductID = 1
    },
    QuoteFault("QE attributes", .mismatch, ["qe_report.attributes"]) {
      $0.quoting.report.attributes[0] |= 0x02
    },
    QuoteFault("QE MISCSELECT", .mismatch, ["qe_report.miscselect"]) {
      $0.quoting.report.miscSelect = 1
    },
    QuoteFault("QE below every level", .tcbUnsupported, ["qe_report.isvsvn"]) {
      $0.quoting.report.isvSVN = 3
    },
    QuoteFault("SGX debug", .debug, ["policy.debug"], tee: .sgx) {
      $0.enclave.attributes[0] |= 0x02
    },
    QuoteFault("TD debug", .debug, ["policy.debug"]) { $0.td.tdAttributes[0] |= 0x01 },
    QuoteFault("module signer", .mismatch, ["tdx_module.mrsignerseam"]) {
      $0.td.mrSignerSEAM[47] = 1
    },
    QuoteFault(
      "module attributes", .mismatch,
      ["tdx_module.seamattributes", "tdx_module.seamattributes_zero"]
    ) {
      $0.td.seamAttributes[0] = 1
    },
    QuoteFault("module attributes masked", .mismatch, ["tdx_module.seamattributes_zero"]) {
      $0.td.seamAttributes[0] = 1
      $0.info.modules[0].attributesMask[0] = 0
    },
    QuoteFault("module unknown", .mismatch, ["tdx_module.identity"]) { $0.td.teeTCBSVN[1] = 2 },
    QuoteFault("module below every level", .tcbUnsupported, ["tdx_module.isvsvn"]) {
      $0.td.teeTCBSVN[0] = 3
    },
    QuoteFault("PCESVN below every level", .tcbUnsupported, ["platform.tcb_level"]) {
      $0.platform.pceSVN = 12
    },
    QuoteFault("migration refused", .mismatch, ["policy.migratable"]) {
      $0.td.tdAttributes[3] |= 0x20
      $0.policy.migratable = .oneOf([false])
    },
    QuoteFault("read as the other TEE", .mismatch, ["policy.tee"], tee: .sgx) {
      $0.policy.tee = .oneOf([.tdx])
    },
  ]

  @Test(arguments: faults) func `a wrong field is refused by name`(_ fault: QuoteFault) throws {
    try fault.expect()
  }

  @Test(arguments: [QuoteScene.sgx(), .tdx4(), .tdx5()])
  func `what nothing is wrong with is accepted`(_ scene: QuoteScene) throws {
    let verdict = try scene.verdict()
    #expect(verdict.kind == .valid, "\(verdict.reasons)")
    #expect(verdict.isTrusted)
    #expect(verdict.simulated)
    #expect(verdict.tcbStatus == .upToDate)
    #expect(verdict.claims?.tcb["tcb_evaluation_data_number"] == 19)
    #expect(verdict.claims?.tcb["pcesvn"] == 15)
  }

  @Test func `a quote says which TEE it is about`() throws {
    let scene = QuoteScene.sgx()
    let vendor = try scene.vendor()
    let verdict = Verifier(anchors: try TrustAnchors(certificates: [vendor.root])).verdict(
      on: Evidence(kind: .tdx, document: try scene.quote(vendor)),
      with: Endorsements(intel: try scene.endorsed(vendor)), under: scene.policy,
      at: QuoteScene.now)
    #expect(verdict.kind == .mismatch)
    #expect(verdict.reasons.map(\.name) == ["quote.tee"])
  }

  /// Gramine leaves CONFIGID zero, so only a reference value can say what MRENCLAVE covers.
  @Test func `an enclave's workload is what its reference value covers`() throws {
    var scene = QuoteScene.sgx()
    let workload = [UInt8](repeating: 7, count: 32)
    scene.policy.workload = .oneOf([workload])
    let mine = scene.enclave.mrEnclave
    let other = [UInt8](repeating: 9, count: 32)
    for (references, isTrusted) in [
      ([PlatformMeasurement(mine, workload: workload)], true),
      ([PlatformMeasurement(other, workload: workload), PlatformMeasurement(mine)], false),
      ([PlatformMeasurement(mine, workload: other)], false),
    ] {
      scene.policy.platform = .oneOf(references)
      let verdict = try scene.verdict()
      #expect(verdict.isTrusted == isTrusted)
      #expect(verdict.reasons.map(\.name) == (isTrusted ? [] : ["policy.workload"]))
    }
    scene.policy.platform = .any
    #expect(try scene.verdict().reasons.map(\.name) == ["policy.workload"])
  }

  @Test func `bytes after a quote change nothing`() throws {
    var scene = QuoteScene.tdx4()
    scene.document = { $0 += [1, 2, 3] }
    let verdict = try scene.verdict()
    #expect(verdict.isTrusted)
    let claim = verdict.claims?.fields.first { $0.name == "trailing_bytes" }
    #expect(claim?.value == .number(3))
  }

  @Test func `the other vendor's markers do not make a root trusted`() throws {
    var scene = QuoteScene.sgx()
    scene.certificate = { role, it in
      if role == .root { it.extensions = SimulatedCertificate.authority(signsLists: true) }
    }
    // A root without the mark is as good as a vendor's where the caller names it, and only there.
    let verdict = try scene.verdict()
    #expect(verdict.isTrusted)
    #expect(!verdict.simulated)
  }
}
