import TEEEvidence

/// What TCB info and QE identity come to for one quote.
struct TCBAppraisal {
  /// Status of the platform's level alone.
  let platform: TCBStatus
  /// Status of the quoting enclave's level.
  let quotingEnclave: TCBStatus
  /// Status of the TDX module's level; nil for SGX, and for modules that have no levels.
  let module: TCBStatus?
  /// The three converged: what held when the TEE was launched.
  let launch: TCBStatus
  /// What holds now: for TDX 1.5 the module may have been replaced since the launch.
  let status: TCBStatus
  /// The date up to which advisories are mitigated in every part.
  let date: VerificationTime
  /// Advisories of every part, sorted.
  let advisories: [String]

  /// Appraises the parts at the launch and, for TDX 1.5, the converged status `current`.
  init(
    platform: TCBJudgement, quotingEnclave: TCBJudgement, module: TCBJudgement?,
    current: TCBStatus?
  ) {
    self.platform = platform.status
    self.quotingEnclave = quotingEnclave.status
    self.module = module?.status
    launch = TCBAppraisal.converged(platform, quotingEnclave, module)
    status = current.map(launch.relaunched) ?? launch
    let parts = [platform, quotingEnclave] + (module.map { [$0] } ?? [])
    date = parts.map(\.date).min() ?? platform.date
    advisories = Set(parts.flatMap(\.advisoryIDs)).sorted()
  }

  /// The status of a platform together with its quoting enclave and TDX module.
  static func converged(
    _ platform: TCBJudgement, _ quotingEnclave: TCBJudgement, _ module: TCBJudgement?
  ) -> TCBStatus {
    let status = platform.status.converged(with: quotingEnclave.status)
    return module.map { status.converged(with: $0.status) } ?? status
  }
}

extension TCBInfo {
  /// The newest level that a platform reaches, or nil where it reaches none.
  ///
  /// `teeTCBSVN` is a TD's; nil for SGX. From TDX module 1.5 on (a major version in the second
  /// component) the module is judged by its own identity, so its two components are left out here.
  func level(of pck: PCKExtension, teeTCBSVN: [UInt8]?) -> TCBLevel? {
    var tee = SIMD16<UInt8>(repeating: .max)
    if let teeTCBSVN {
      for index in 0..<16 where index >= 2 || teeTCBSVN[1] == 0 { tee[index] = teeTCBSVN[index] }
    }
    return levels.first {
      pck.pceSVN >= $0.pceSVN && all(pck.components .>= $0.sgxComponents)
        && all(tee .>= ($0.tdxComponents ?? SIMD16()))
    }
  }
}
