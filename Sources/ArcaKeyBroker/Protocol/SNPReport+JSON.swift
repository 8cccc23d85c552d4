import TEEEvidence

extension SNPReport {
  /// The report whose fields CoCo's attester spells out in JSON; encoding it gives back the bytes
  /// that the firmware signed.
  init(json: StrictJSON) throws(KeyBrokerError) {
    let fields = SNPFields(json: json)
    self.init(version: try fields.number32("version"))
    guard (3...5).contains(version), try fields.number("sig_algo") == 1 else {
      throw KeyBrokerError(.malformed, "snp report: expected version 3 to 5 and sig_algo 1")
    }
    guestSVN = try fields.number32("guest_svn")
    policy = SNPPolicy(rawValue: try fields.number("policy"))
    familyID = try fields.octets("family_id", 16)
    imageID = try fields.octets("image_id", 16)
    vmpl = try fields.number32("vmpl")
    platformInfo = try fields.number("plat_info")
    flags = try fields.number32("key_info")
    reportData = try fields.octets("report_data", 64)
    measurement = try fields.octets("measurement", 48)
    hostData = try fields.octets("host_data", 32)
    idKeyDigest = try fields.octets("id_key_digest", 48)
    authorKeyDigest = try fields.octets("author_key_digest", 48)
    reportID = try fields.octets("report_id", 32)
    reportIDMigrationAgent = try fields.octets("report_id_ma", 32)
    cpuid = (
      try fields.number8("cpuid_fam_id"), try fields.number8("cpuid_mod_id"),
      try fields.number8("cpuid_step")
    )
    chipID = try fields.octets("chip_id", 64)
    guard let product = SNPProduct(family: cpuid.family, model: cpuid.model) else {
      throw KeyBrokerError(.malformed, "snp report: CPUID names no product line that is known")
    }
    currentTCB = try fields.tcb("current_tcb", product)
    reportedTCB = try fields.tcb("reported_tcb", product)
    committedTCB = try fields.tcb("committed_tcb", product)
    launchTCB = try fields.tcb("launch_tcb", product)
    currentFirmware = try fields.firmware("current")
    committedFirmware = try fields.firmware("committed")
    if version >= 5 {
      launchMitigations = try fields.number("launch_mit_vector")
      currentMitigations = try fields.number("current_mit_vector")
    }
    guard let signature = json["signature"] else { throw SNPFields.fault("signature") }
    let parts = SNPFields(json: signature)
    self.signature = (try parts.octets("r", 72), try parts.octets("s", 72))
  }
}

/// Reads members of the report's JSON by name.
private struct SNPFields {
  let json: StrictJSON

  static func fault(_ name: String) -> KeyBrokerError {
    KeyBrokerError(.malformed, "snp report: \(name) is missing or not of its form")
  }

  func number(_ name: String) throws(KeyBrokerError) -> UInt64 {
    guard let number = json[name]?.whole else { throw Self.fault(name) }
    return number
  }

  func number32(_ name: String) throws(KeyBrokerError) -> UInt32 {
    guard let number = UInt32(exactly: try number(name)) else { throw Self.fault(name) }
    return number
  }

  func number8(_ name: String) throws(KeyBrokerError) -> UInt8 {
    guard let number = UInt8(exactly: try number(name)) else { throw Self.fault(name) }
    return number
  }

  func octets(_ name: String, _ count: Int) throws(KeyBrokerError) -> [UInt8] {
    guard let bytes = json[name]?.octets(count) else { throw Self.fault(name) }
    return bytes
  }

  func tcb(_ name: String, _ product: SNPProduct) throws(KeyBrokerError) -> [UInt8] {
    guard let json = json[name] else { throw Self.fault(name) }
    let parts = SNPFields(json: json)
    let hasController = json["fmc"].map { !$0.isNull } ?? false
    return SNPTCBVersion(
      fmc: hasController ? try parts.number8("fmc") : 0,
      bootloader: try parts.number8("bootloader"), tee: try parts.number8("tee"),
      snp: try parts.number8("snp"), microcode: try parts.number8("microcode"), product: product
    ).encoded(product: product)
  }

  func firmware(_ name: String) throws(KeyBrokerError) -> [UInt8] {
    guard let json = json[name] else { throw Self.fault(name) }
    let parts = SNPFields(json: json)
    return [
      try parts.number8("build"), try parts.number8("minor"), try parts.number8("major"),
    ]
  }
}

extension SNPReport {
  /// The report in the JSON form of CoCo's attester, for attesters and tests.
  public var kbsJSON: StrictJSON {
    get throws(KeyBrokerError) {
      guard let product = SNPProduct(family: cpuid.family, model: cpuid.model) else {
        throw KeyBrokerError(.malformed, "snp report: CPUID names no product line that is known")
      }
      func bytes(_ octets: [UInt8]) -> StrictJSON { .array(octets.map { .number(UInt64($0)) }) }
      func small(_ number: UInt8) -> StrictJSON { .number(UInt64(number)) }
      func tcb(_ octets: [UInt8]) -> StrictJSON {
        let tcb = SNPTCBVersion(octets, product: product)
        return .members(
          ("fmc", product == .turin ? small(tcb.fmc) : .null),
          ("bootloader", small(tcb.bootloader)),
          ("tee", small(tcb.tee)), ("snp", small(tcb.snp)), ("microcode", small(tcb.microcode)))
      }
      func firmware(_ octets: [UInt8]) -> StrictJSON {
        .members(
          ("major", small(octets[2])), ("minor", small(octets[1])), ("build", small(octets[0])))
      }
      let mitigations = (launchMitigations, currentMitigations)
      return .members(
        ("version", .number(UInt64(version))), ("guest_svn", .number(UInt64(guestSVN))),
        ("policy", .number(policy.rawValue)), ("family_id", bytes(familyID)),
        ("image_id", bytes(imageID)), ("vmpl", .number(UInt64(vmpl))), ("sig_algo", .number(1)),
        ("current_tcb", tcb(currentTCB)), ("plat_info", .number(platformInfo)),
        ("key_info", .number(UInt64(flags))), ("report_data", bytes(reportData)),
        ("measurement", bytes(measurement)), ("host_data", bytes(hostData)),
        ("id_key_digest", bytes(idKeyDigest)), ("author_key_digest", bytes(authorKeyDigest)),
        ("report_id", bytes(reportID)), ("report_id_ma", bytes(reportIDMigrationAgent)),
        ("reported_tcb", tcb(reportedTCB)), ("cpuid_fam_id", small(cpuid.family)),
        ("cpuid_mod_id", small(cpuid.model)), ("cpuid_step", small(cpuid.stepping)),
        ("chip_id", bytes(chipID)), ("committed_tcb", tcb(committedTCB)),
        ("current", firmware(currentFirmware)), ("committed", firmware(committedFirmware)),
        ("launch_tcb", tcb(launchTCB)),
        ("launch_mit_vector", version >= 5 ? .number(mitigations.0) : .null),
        ("current_mit_vector", version >= 5 ? .number(mitigations.1) : .null),
        ("signature", .members(("r", bytes(signature.r)), ("s", bytes(signature.s)))))
    }
  }
}
