import TEEEvidence

extension QEIdentity {
  /// The newest level that an enclave of security version `isvSVN` reaches, or nil for none.
  func level(of isvSVN: UInt16) -> EnclaveTCBLevel? {
    levels.first { isvSVN >= $0.isvSVN }
  }

  /// Checks the report of a quoting enclave against this identity, and records each check.
  func verify(_ report: EnclaveReport, into findings: inout Findings) {
    let misc = (0..<4).map { UInt8(truncatingIfNeeded: report.miscSelect >> (8 * UInt32($0))) }
    findings.equal(
      "qe_report.miscselect", .bytes(zip(misc, miscSelectMask).map { $0 & $1 }),
      .bytes(miscSelect))
    findings.equal(
      "qe_report.attributes", .bytes(zip(report.attributes, attributesMask).map { $0 & $1 }),
      .bytes(attributes))
    // An enclave of another signer can hold any key, so nothing that it signed is evidence.
    findings.equal(
      "qe_report.mrsigner", .bytes(report.mrSigner), .bytes(mrSigner), else: .tampered)
    findings.equal(
      "qe_report.isvprodid", .number(UInt64(report.isvProductID)), .number(UInt64(isvProductID)))
  }
}
