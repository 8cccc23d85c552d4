import TEEEvidence

extension Claims {
  /// What `quote` states, with what its endorsements say of the platform.
  init(_ quote: Quote, _ kind: TEEKind, _ platform: PlatformFindings) {
    let chip = platform.pck.map { $0.fmspc + $0.ppid } ?? []
    var fields = Claims.header(quote)
    switch quote.body {
    case .sgx(let report):
      fields += report.claims + Claims.platform(platform)
      self.init(
        tee: kind, measurement: report.mrEnclave, runtimeRegisters: [],
        hostData: report.configID, reportData: report.reportData, signer: report.mrSigner,
        debug: report.isDebug, migratable: false, vmpl: nil,
        tcb: Claims.tcb(platform, nil), chipID: chip, fields: fields)
    case .tdx(let report):
      fields += report.claims + Claims.platform(platform)
      self.init(
        tee: kind, measurement: report.mrTD, runtimeRegisters: report.rtmrs,
        hostData: report.mrConfigID, reportData: report.reportData, signer: report.mrOwner,
        debug: report.isDebug, migratable: report.isMigratable, vmpl: nil,
        tcb: Claims.tcb(platform, report), chipID: chip, fields: fields)
    }
  }

  private static func header(_ quote: Quote) -> [Claim] {
    [
      Claim("version", .number(UInt64(quote.header.version))),
      Claim("tee_type", .number(UInt64(quote.header.tee.rawValue))),
      Claim("qe_vendor_id", .bytes(quote.header.qeVendorID)),
      Claim("user_data", .bytes(quote.header.userData)),
      Claim("trailing_bytes", .number(UInt64(quote.trailingByteCount))),
    ]
  }

  private static func platform(_ platform: PlatformFindings) -> [Claim] {
    var claims: [Claim] = []
    if let pck = platform.pck {
      claims += [
        Claim("fmspc", .bytes(pck.fmspc)), Claim("ppid", .bytes(pck.ppid)),
        Claim("pceid", .bytes(pck.pceID)),
      ]
    }
    if let appraisal = platform.appraisal {
      claims += [
        Claim("platform_tcb_status", .text(appraisal.platform.rawValue)),
        Claim("qe_tcb_status", .text(appraisal.quotingEnclave.rawValue)),
        Claim("launch_tcb_status", .text(appraisal.launch.rawValue)),
        Claim("tcb_date", .time(appraisal.date)),
      ]
      if let module = appraisal.module {
        claims.append(Claim("tdx_module_tcb_status", .text(module.rawValue)))
      }
    }
    return claims
  }

  private static func tcb(_ platform: PlatformFindings, _ report: TDReport?) -> TCBVersion {
    var components: [TCBVersion.Component] = []
    if let number = platform.evaluationDataNumber {
      components.append(.init("tcb_evaluation_data_number", number))
    }
    if let pck = platform.pck {
      components.append(.init("pcesvn", UInt32(pck.pceSVN)))
      for index in 0..<16 {
        components.append(.init("sgx_" + numbers[index], UInt32(pck.components[index])))
      }
    }
    for (index, version) in (report?.teeTCBSVN ?? []).enumerated() {
      components.append(.init("tdx_" + numbers[index], UInt32(version)))
    }
    return TCBVersion(components)
  }

  private static let numbers = (1...16).map { $0 < 10 ? "0\($0)" : "\($0)" }
}
