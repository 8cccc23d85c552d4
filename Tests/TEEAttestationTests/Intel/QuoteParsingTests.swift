import ArcaBytes
import TEEAttestation
import TEEEvidence
import Testing

@Suite struct QuoteParsingTests {
  @Test func `bodies read back as they were written`() throws {
    var enclave = EnclaveReport()
    enclave.cpuSVN = Array(1...16)
    enclave.miscSelect = 0x0102_0304
    enclave.isvExtendedProductID = Array(2...17)
    enclave.attributes = Array(3...18)
    enclave.mrEnclave = Array(4...35)
    enclave.mrSigner = Array(5...36)
    enclave.configID = Array(6...69)
    enclave.isvProductID = 0x0506
    enclave.isvSVN = 0x0708
    enclave.configSVN = 0x090A
    enclave.isvFamilyID = Array(7...22)
    enclave.reportData = Array(8...71)
    #expect(enclave.encoded.count == EnclaveReport.byteCount)
    #expect(try EnclaveReport(enclave.encoded[...]) == enclave)
    for is15 in [false, true] {
      var td = TDReport(is15: is15)
      td.teeTCBSVN = Array(1...16)
      td.mrSEAM = Array(2...49)
      td.xfam = Array(3...10)
      td.mrOwnerConfig = Array(4...51)
      td.rtmrs[3] = Array(5...52)
      td.reportData = Array(6...69)
      if is15 { td.mrServiceTD = Array(7...54) }
      #expect(td.encoded.count == (is15 ? TDReport.byteCount15 : TDReport.byteCount10))
      #expect(try TDReport(td.encoded[...]) == td)
    }
  }

  @Test func `a guest looks at what a verifier reads`() throws {
    for scene in [QuoteScene.sgx(), .tdx4(), .tdx5()] {
      let bytes = try scene.quote(scene.vendor())
      var changed = bytes
      for offset in 54..<(48 + 384) { changed[offset] = UInt8(truncatingIfNeeded: offset) }
      for quote in [bytes, changed] {
        let statement = try QuoteForm(quote)
        switch try QuoteBody(of: quote) {
        case .sgx(let report):
          #expect(statement.tee == .sgx)
          #expect(statement.reportData == report.reportData)
        case .tdx(let report):
          #expect(statement.tee == .tdx)
          #expect(statement.reportData == report.reportData)
          #expect(statement.mrConfigID == report.mrConfigID)
        }
      }
      for count in [0, 47, 48, 54, 431] {
        #expect(throws: EvidenceError.self) { try QuoteForm(Array(bytes.prefix(count))) }
      }
    }
  }

  @Test func `unknown versions and types are refused`() throws {
    let scene = QuoteScene.tdx5()
    let quote = try scene.quote(scene.vendor())
    let faults: [(Int, UInt8, EvidenceError.Code)] = [
      (0, 2, .unknownVersion), (0, 6, .unknownVersion), (2, 3, .unknownType),
      (4, 1, .unknownType), (12, 0, .unknownType), (48, 1, .invalid), (48, 4, .invalid),
      (50, 0, .invalid),
    ]
    for (offset, value, code) in faults {
      var changed = quote
      changed[offset] = value
      #expect(error(changed)?.code == code, "offset \(offset)")
    }
  }

  @Test func `lengths must be exact`() throws {
    let scene = QuoteScene.sgx()
    let quote = try scene.quote(scene.vendor())
    let lengths = [48 + 384, 48 + 384 + 4 + 128 + 384 + 64, 48 + 384 + 4 + 128 + 384 + 64 + 36]
    for offset in lengths {
      for change in [-1, 1] {
        var changed = quote
        changed[offset] = UInt8(truncatingIfNeeded: Int(changed[offset]) + change)
        #expect(error(changed) != nil, "offset \(offset)")
      }
      var huge = quote
      huge[offset + 1] = 0xFF
      #expect(error(huge)?.code == .truncated, "offset \(offset)")
    }
    #expect(error([UInt8](repeating: 0, count: Quote.byteCountMax + 1))?.code == .tooLarge)
  }

  @Test func `certification data of every type is read`() throws {
    var scene = QuoteScene.tdx4()
    let platform = [UInt8](repeating: 9, count: 384) + Array(1...16) + [0x0D, 0, 0x01, 0]
    for type in [UInt16(1), 2, 3] {
      scene.quoting.certification = (type, platform)
      guard case .platformID(let id) = try Quote(scene.quote(scene.vendor())).certification else {
        Issue.record("type \(type)")
        continue
      }
      #expect(id.protection.rawValue == type)
      #expect(id.ppid.count == 384)
      #expect(id.cpuSVN == Array(1...16))
      #expect(id.pceSVN == 13)
      #expect(id.pceID == 1)
    }
    for type in [UInt16(4), 5, 7] {
      scene.quoting.certification = (type, [1, 2, 3])
      #expect(try Quote(scene.quote(scene.vendor())).certification.type == type)
    }
    for type in [UInt16(0), 6, 8] {
      scene.quoting.certification = (type, [1, 2, 3])
      #expect(error(try scene.quote(scene.vendor()))?.code == .unknownType)
    }
    scene.quoting.certification = (2, [UInt8](repeating: 0, count: 19))
    #expect(error(try scene.quote(scene.vendor()))?.code == .truncated)
  }

  @Test func `a simulated vendor is stored and read back`() throws {
    let vendor = try SimulatedIntel.create(at: QuoteScene.issued)
    let stored = Dictionary(uniqueKeysWithValues: vendor.files.map { ($0.name, $0.content) })
    let again = try SimulatedIntel { stored[$0] }
    #expect(again.root == vendor.root)
    let given = try again.endorsements(for: .sgx, at: QuoteScene.issued)
    var policy = AppraisalPolicy.vendorOnly
    policy.dangerouslyAcceptSimulatedEvidence = true
    let verdict = Verifier(anchors: try TrustAnchors(certificates: [vendor.root])).verdict(
      on: Evidence(kind: .sgx, document: try again.quote(.sgx(EnclaveReport()), version: 3)),
      with: Endorsements(intel: given), under: policy, at: QuoteScene.now)
    #expect(verdict.isTrusted)
    #expect(verdict.simulated)
    for name in stored.keys {
      #expect(throws: AttestationError.self) {
        try SimulatedIntel { $0 == name ? nil : stored[$0] }
      }
    }
  }

  private func error(_ bytes: [UInt8]) -> EvidenceError? {
    do {
      _ = try Quote(bytes)
      return nil
    } catch {
      return error
    }
  }
}
