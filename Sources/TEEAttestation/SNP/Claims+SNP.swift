import TEEEvidence

extension Claims {
  /// What an SNP report states; the TCB components need the product whose layout they have.
  init(_ report: SNPReport, product: SNPProduct?) {
    let policy = report.policy
    self.init(
      tee: .snp, measurement: report.measurement, runtimeRegisters: [], hostData: report.hostData,
      reportData: report.reportData, signer: report.idKeyDigest, debug: policy.allowsDebug,
      migratable: policy.allowsMigrationAgent, vmpl: report.vmpl,
      tcb: Self.tcb(report, product), chipID: report.chipID,
      fields: Self.fields(report, product))
  }

  // Components of the reported version have plain names, since it is the one that the signing key
  // vouches for.
  private static func tcb(_ report: SNPReport, _ product: SNPProduct?) -> TCBVersion {
    guard let product else { return TCBVersion([]) }
    var components: [TCBVersion.Component] = []
    for (prefix, field) in [
      ("", report.reportedTCB), ("current_", report.currentTCB),
      ("committed_", report.committedTCB), ("launch_", report.launchTCB),
    ] {
      let tcb = SNPTCBVersion(field, product: product)
      if product == .turin { components.append(.init(prefix + "fmc", UInt32(tcb.fmc))) }
      components.append(.init(prefix + "bootloader", UInt32(tcb.bootloader)))
      components.append(.init(prefix + "tee", UInt32(tcb.tee)))
      components.append(.init(prefix + "snp", UInt32(tcb.snp)))
      components.append(.init(prefix + "microcode", UInt32(tcb.microcode)))
    }
    return TCBVersion(components)
  }

  private static func fields(_ report: SNPReport, _ product: SNPProduct?) -> [Claim] {
    var fields = [
      Claim("version", .number(UInt64(report.version))),
      Claim("product", .text(product?.name ?? "unknown")),
      Claim("guest_svn", .number(UInt64(report.guestSVN))),
    ]
    fields += policy(report.policy)
    fields += [
      Claim("family_id", .bytes(report.familyID)),
      Claim("image_id", .bytes(report.imageID)),
      Claim("vmpl", .number(UInt64(report.vmpl))),
      Claim("current_tcb", .bytes(report.currentTCB)),
      Claim("platform_info", .number(report.platformInfo)),
      Claim("author_key_en", .flag(report.flags & 1 == 1)),
      Claim("mask_chip_key", .flag(report.flags & 2 == 2)),
      Claim("signing_key", .number(UInt64(report.flags >> 2 & 7))),
      Claim("report_data", .bytes(report.reportData)),
      Claim("measurement", .bytes(report.measurement)),
      Claim("host_data", .bytes(report.hostData)),
      Claim("id_key_digest", .bytes(report.idKeyDigest)),
      Claim("author_key_digest", .bytes(report.authorKeyDigest)),
      Claim("report_id", .bytes(report.reportID)),
      Claim("report_id_ma", .bytes(report.reportIDMigrationAgent)),
      Claim("reported_tcb", .bytes(report.reportedTCB)),
    ]
    if report.version >= 3 {
      fields += [
        Claim("cpuid_family", .number(UInt64(report.cpuid.family))),
        Claim("cpuid_model", .number(UInt64(report.cpuid.model))),
        Claim("cpuid_stepping", .number(UInt64(report.cpuid.stepping))),
      ]
    }
    fields += [
      Claim("chip_id", .bytes(report.chipID)),
      Claim("committed_tcb", .bytes(report.committedTCB)),
      Claim("current_firmware", .text(firmware(report.currentFirmware))),
      Claim("committed_firmware", .text(firmware(report.committedFirmware))),
      Claim("launch_tcb", .bytes(report.launchTCB)),
    ]
    if report.version >= 5 {
      fields += [
        Claim("launch_mit_vector", .number(report.launchMitigations)),
        Claim("current_mit_vector", .number(report.currentMitigations)),
      ]
    }
    return fields
  }

  private static func policy(_ policy: SNPPolicy) -> [Claim] {
    [
      Claim("policy", .number(policy.rawValue)),
      Claim("policy_abi", .text("\(policy.abiMajor).\(policy.abiMinor)")),
      Claim("policy_smt", .flag(policy.allowsSMT)),
      Claim("policy_migrate_ma", .flag(policy.allowsMigrationAgent)),
      Claim("policy_debug", .flag(policy.allowsDebug)),
      Claim("policy_single_socket", .flag(policy.singleSocket)),
      Claim("policy_cxl_allow", .flag(policy.allowsCXL)),
      Claim("policy_mem_aes_256_xts", .flag(policy.requiresAES256XTS)),
      Claim("policy_rapl_dis", .flag(policy.requiresRAPLOff)),
      Claim("policy_ciphertext_hiding", .flag(policy.requiresCiphertextHiding)),
      Claim("policy_page_swap_disable", .flag(policy.requiresPageSwapOff)),
    ]
  }

  // The report orders them build, minor, major.
  private static func firmware(_ version: [UInt8]) -> String {
    version.reversed().map { "\($0)" }.joined(separator: ".")
  }
}
