import TEEAttestation
import TEEEvidence
import Testing

@Suite struct IntelCollateralTests {
  static let documents: [QuoteFault] = [
    QuoteFault("TCB info signature", .tampered, ["tcb_info.signature"]) {
      $0.endorsements = { $1.tcbInfo = Self.flipSignature($1.tcbInfo) }
    },
    QuoteFault("TCB info changed after signing", .tampered, ["tcb_info.signature"]) {
      $0.endorsements = { vendor, given in
        given.tcbInfo = Self.replaced(given.tcbInfo, "\"tcbType\":0", "\"tcbType\": 0")
      }
    },
    QuoteFault("TCB info expired", .expired, ["tcb_info.validity"]) {
      $0.info.nextUpdate = QuoteScene.issued.text
    },
    QuoteFault("TCB info of the future", .expired, ["tcb_info.validity"]) {
      $0.info.issueDate = QuoteScene.later.text
    },
    QuoteFault("TCB info version", .malformed, ["tcb_info"]) { $0.info.version = 2 },
    QuoteFault("TCB info type", .malformed, ["tcb_info"]) { $0.info.tcbType = 1 },
    QuoteFault("TCB info of another FMSPC", .mismatch, ["tcb_info.fmspc"]) {
      $0.info.fmspc = "00A06D0A0001"
    },
    QuoteFault("TCB info of another PCEID", .mismatch, ["tcb_info.pceid"]) {
      $0.info.pceID = "0001"
    },
    QuoteFault("TCB info of the other TEE", .mismatch, ["tcb_info.id"]) {
      $0.info = SimulatedIntel.tcbInfo(for: .sgx, at: QuoteScene.issued)
    },
    QuoteFault("QE identity signature", .tampered, ["qe_identity.signature"]) {
      $0.endorsements = { $1.qeIdentity = Self.flipSignature($1.qeIdentity) }
    },
    QuoteFault("QE identity expired", .expired, ["qe_identity.validity"]) {
      $0.identity.nextUpdate = QuoteScene.issued.text
    },
    QuoteFault("QE identity of the future", .expired, ["qe_identity.validity"]) {
      $0.identity.issueDate = QuoteScene.later.text
    },
    QuoteFault("QE identity version", .malformed, ["qe_identity"]) { $0.identity.version = 3 },
    QuoteFault("QE identity of the other TEE", .mismatch, ["qe_identity.id"]) {
      $0.identity.id = "QE"
    },
    QuoteFault("signer expired", .expired, ["tcb_info_signer.validity"]) {
      $0.certificate = { role, it in if role == .tcbSigning { it.notAfter = QuoteScene.issued } }
    },
    QuoteFault("signer of another name", .mismatch, ["tcb_info_signer.subject"]) {
      $0.certificate = { role, it in
        if role == .tcbSigning { it.subject = SimulatedIntel.name("Intel SGX PCK Certificate") }
      }
    },
    QuoteFault("signer's signature", .tampered, ["tcb_info_signer.signature"]) {
      $0.endorsements = { vendor, given in
        let signer = QuoteScene.flipped(vendor.certificate(.tcbSigning))
        given.tcbInfoChain = QuoteScene.pem([signer, vendor.root])
        given.qeIdentityChain = given.tcbInfoChain
      }
    },
    QuoteFault("second signer's signature", .tampered, ["qe_identity_signer.signature"]) {
      $0.endorsements = { vendor, given in
        let signer = QuoteScene.flipped(vendor.certificate(.tcbSigning))
        given.qeIdentityChain = QuoteScene.pem([signer, vendor.root])
      }
    },
    QuoteFault(
      "a PCK certificate as signer", .mismatch,
      ["tcb_info_chain.length", "qe_identity_chain.length"]
    ) {
      $0.endorsements = { vendor, given in
        given.tcbInfoChain = vendor.pckChain
        given.qeIdentityChain = vendor.pckChain
      }
    },
  ]

  static let revocation: [QuoteFault] = [
    list("root list names the PCK authority", .revoked, ["pck_ca.revoked"], .root) {
      $0.serialNumbers = [QuoteScene.Role.pckAuthority.serialNumber]
    },
    list("root list names the signer", .revoked, ["tcb_info_signer.revoked"], .root) {
      $0.serialNumbers = [QuoteScene.Role.tcbSigning.serialNumber]
    },
    list("PCK list names the leaf", .revoked, ["pck.revoked"], .pckAuthority) {
      $0.serialNumbers = [[1], QuoteScene.Role.pck.serialNumber]
    },
    list("root list expired", .expired, ["root_crl.validity"], .root) {
      $0.nextUpdate = QuoteScene.issued
    },
    list("PCK list expired", .expired, ["pck_crl.validity"], .pckAuthority) {
      $0.nextUpdate = QuoteScene.issued
    },
    list("PCK list of the future", .expired, ["pck_crl.validity"], .pckAuthority) {
      $0.thisUpdate = QuoteScene.later
    },
    list("root list of another issuer", .mismatch, ["root_crl.issuer"], .root) {
      $0.issuer = SimulatedIntel.name("Intel SGX PCK Platform CA")
    },
    list("PCK list of another issuer", .mismatch, ["pck_crl.issuer"], .pckAuthority) {
      $0.issuer = SimulatedIntel.name("Intel SGX PCK Processor CA")
    },
    QuoteFault("root list's signature", .tampered, ["root_crl.signature"]) {
      $0.endorsements = { $1.rootRevocationList = $1.rootRevocationList.map(QuoteScene.flipped) }
    },
    QuoteFault("PCK list's signature", .tampered, ["pck_crl.signature"]) {
      $0.endorsements = { $1.pckRevocationList = $1.pckRevocationList.map(QuoteScene.flipped) }
    },
    QuoteFault("PCK list cut short", .malformed, ["pck_crl"]) {
      $0.endorsements = { $1.pckRevocationList = $1.pckRevocationList?.dropLast() }
    },
  ]

  @Test(arguments: documents + revocation)
  func `wrong collateral is refused by name`(_ fault: QuoteFault) throws { try fault.expect() }

  @Test func `what is missing leaves the verdict undecided`() throws {
    let parts: [WritableKeyPath<IntelEndorsements, [UInt8]?> & Sendable] = [
      \.tcbInfo, \.tcbInfoChain, \.qeIdentity, \.qeIdentityChain, \.rootRevocationList,
      \.pckRevocationList,
    ]
    for part in parts {
      var scene = QuoteScene.tdx4()
      scene.endorsements = { $1[keyPath: part] = nil }
      let verdict = try scene.verdict()
      #expect(verdict.kind == .undecided)
      #expect(verdict.missing.count == 1)
      #expect(!verdict.isTrusted)
    }
  }

  @Test func `without any collateral a chain is only a chain`() throws {
    var scene = QuoteScene.sgx()
    scene.endorsements = { $1 = IntelEndorsements() }
    let verdict = try scene.verdict()
    #expect(verdict.kind == .chainValid)
    #expect(!verdict.isTrusted)
  }

  @Test func `FMSPC and PCEID are compared without case`() throws {
    for text in ["00a06d0a0000", "00A06D0A0000"] {
      var scene = QuoteScene.tdx5()
      scene.info.fmspc = text
      #expect(try scene.verdict().isTrusted)
    }
  }

  @Test func `lists in PEM serve as those in DER`() throws {
    var scene = QuoteScene.sgx()
    scene.endorsements = {
      $1.rootRevocationList = $1.rootRevocationList.map {
        Array(PEM.encode($0, label: "X509 CRL").utf8)
      }
    }
    #expect(try scene.verdict().isTrusted)
  }

  private static func list(
    _ description: String, _ kind: VerdictKind, _ reasons: [String],
    _ issuer: QuoteScene.Role,
    _ change: @escaping @Sendable (inout SimulatedRevocationList) -> Void
  ) -> QuoteFault {
    QuoteFault(description, kind, reasons) {
      $0.endorsements = { vendor, given in
        let list = try vendor.revocationList(of: issuer, at: QuoteScene.issued, changing: change)
        if issuer == .root {
          given.rootRevocationList = list
        } else {
          given.pckRevocationList = list
        }
      }
    }
  }

  private static func flipSignature(_ document: [UInt8]?) -> [UInt8]? {
    document.map { bytes in
      var changed = bytes
      // The last digit of the signature stands before the quotation mark and the brace.
      changed[bytes.count - 3] = bytes[bytes.count - 3] == 0x30 ? 0x31 : 0x30
      return changed
    }
  }

  private static func replaced(_ document: [UInt8]?, _ old: String, _ new: String) -> [UInt8]? {
    guard let document, let range = document.firstRange(of: Array(old.utf8)) else { return nil }
    return document[..<range.lowerBound] + Array(new.utf8) + document[range.upperBound...]
  }
}
