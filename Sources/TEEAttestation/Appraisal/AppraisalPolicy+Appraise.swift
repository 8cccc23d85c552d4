extension AppraisalPolicy {
  /// Compares what evidence states with what the policy demands, and records each check.
  func appraise(_ claims: Claims, into findings: inout Findings) {
    demand("policy.tee", tee, claims.tee, &findings) { .text($0.rawValue) }
    appraisePlatform(claims, &findings)
    let bound = boundWorkload(claims)
    demand("policy.workload", workload, bound, &findings, pad: bound.count) { .bytes($0) }
    demand("policy.report_data", reportData, claims.reportData, &findings, pad: 64) { .bytes($0) }
    demand("policy.signer", signer, claims.signer, &findings) { .bytes($0) }
    demand("policy.chip_id", chipID, claims.chipID, &findings) { .bytes($0) }
    demand("policy.migratable", migratable, claims.migratable, &findings) { .flag($0) }
    if case .oneOf(let levels) = vmpl {
      findings.check(
        "policy.vmpl", expected: .list(levels.map { "\($0)" }),
        found: claims.vmpl.map { .number(UInt64($0)) } ?? .text("none"),
        passed: claims.vmpl.map(levels.contains) ?? false, else: .mismatch)
    }
    for lowest in minimumTCB {
      let found = claims.tcb[lowest.name]
      findings.check(
        "policy.minimum_tcb.\(lowest.name)", expected: .number(UInt64(lowest.version)),
        found: found.map { .number(UInt64($0)) } ?? .text("none"),
        passed: found.map { $0 >= lowest.version } ?? false, else: .mismatch)
    }
    for field in fields {
      let found = claims.fields.first { $0.name == field.name }?.value
      findings.check(
        "policy.fields.\(field.name)", expected: .list(field.accepted),
        found: found ?? .text("none"),
        passed: found.map { field.accepted.contains($0.text) } ?? false, else: .mismatch)
    }
    if !dangerouslyAcceptDebug {
      findings.flag("policy.debug", claims.debug, is: false, else: .debug)
    }
    if !dangerouslyAcceptSimulatedEvidence {
      findings.flag("policy.simulated", findings.simulated, is: false, else: .untrustedRoot)
    }
    appraiseStatus(&findings)
  }

  /// The workload digest where the TEE binds it: in a field of its own or, by the word of the
  /// reference value that MRENCLAVE or the launch digest of SEV equals, within that.
  private func boundWorkload(_ claims: Claims) -> [UInt8] {
    guard claims.tee == .sgx || claims.tee.isMeasuredAtLaunch,
      case .oneOf(let references) = platform
    else {
      return claims.hostData
    }
    return references.lazy.filter { $0.measurement == claims.measurement }.compactMap(\.workload)
      .first ?? claims.hostData
  }

  private func appraisePlatform(_ claims: Claims, _ findings: inout Findings) {
    guard case .oneOf(let references) = platform else { return }
    let found = [claims.measurement] + claims.runtimeRegisters
    let passed = references.contains { reference in
      reference.measurement == claims.measurement
        && reference.runtimeRegisters.count == claims.runtimeRegisters.count
        && zip(reference.runtimeRegisters, claims.runtimeRegisters).allSatisfy { $0.accepts($1) }
    }
    findings.check(
      "policy.platform", expected: .list(references.map(\.text)),
      found: .list(found.map { ClaimValue.bytes($0).text }), passed: passed, else: .mismatch)
  }

  private func appraiseStatus(_ findings: inout Findings) {
    if let status = findings.tcbStatus {
      findings.check(
        "policy.tcb_status", expected: .list(acceptedStatuses.map(\.rawValue)),
        found: .text(status.rawValue),
        passed: status != .revoked && acceptedStatuses.contains(status),
        else: status == .upToDate ? .mismatch : status.verdict)
    }
    if case .oneOf(let allowed) = advisories {
      findings.check(
        "policy.advisories", expected: .list(allowed), found: .list(findings.advisories),
        passed: findings.advisories.allSatisfy(allowed.contains), else: .validWithAdvice)
    }
  }

  private func demand<Value>(
    _ name: String, _ expectation: Expectation<Value>, _ found: Value, _ findings: inout Findings,
    show: (Value) -> ClaimValue
  ) {
    guard case .oneOf(let values) = expectation else { return }
    findings.check(
      name, expected: values.count == 1 ? show(values[0]) : .list(values.map { show($0).text }),
      found: show(found), passed: values.contains(found), else: .mismatch)
  }

  // A digest is bound in a field that may be wider than it is; the rest must be zero.
  private func demand(
    _ name: String, _ expectation: Expectation<[UInt8]>, _ found: [UInt8],
    _ findings: inout Findings, pad width: Int, show: ([UInt8]) -> ClaimValue
  ) {
    guard case .oneOf(let values) = expectation else { return }
    let padded = values.map { $0 + [UInt8](repeating: 0, count: max(0, width - $0.count)) }
    demand(name, .oneOf(padded), found, &findings, show: show)
  }
}

extension PlatformMeasurement {
  /// The measurement in hexadecimal, with the registers where there are any.
  var text: String {
    ([ClaimValue.bytes(measurement).text]
      + runtimeRegisters.map { register in
        switch register {
        case .any: return "any"
        case .oneOf(let values):
          return values.map { ClaimValue.bytes($0).text }.joined(separator: "|")
        }
      }).joined(separator: ",")
  }
}
