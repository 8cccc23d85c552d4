import ArcaBytes
import TEEEvidence

extension SNPReport {
  /// The report and what came with it in the JSON form of the key broker protocol.
  ///
  /// - Throws: ``AttesterError/Code/unsupported`` where the report's version or CPUID is unknown to
  ///   the protocol.
  public func message(certificates: [SNPCertificateTable.Entry]) throws(AttesterError) -> [UInt8] {
    guard let product = SNPProduct(family: cpuid.family, model: cpuid.model) else {
      throw AttesterError(.unsupported, "report's CPUID")
    }
    var json = JSONObjectWriter()
    json.number("version", UInt64(version))
    json.number("guest_svn", UInt64(guestSVN))
    json.number("policy", policy.rawValue)
    json.bytes("family_id", familyID)
    json.bytes("image_id", imageID)
    json.number("vmpl", UInt64(vmpl))
    json.number("sig_algo", 1)
    json.number("plat_info", platformInfo)
    json.number("key_info", UInt64(flags))
    json.bytes("report_data", reportData)
    json.bytes("measurement", measurement)
    json.bytes("host_data", hostData)
    json.bytes("id_key_digest", idKeyDigest)
    json.bytes("author_key_digest", authorKeyDigest)
    json.bytes("report_id", reportID)
    json.bytes("report_id_ma", reportIDMigrationAgent)
    json.number("cpuid_fam_id", UInt64(cpuid.family))
    json.number("cpuid_mod_id", UInt64(cpuid.model))
    json.number("cpuid_step", UInt64(cpuid.stepping))
    json.bytes("chip_id", chipID)
    for (name, field) in [
      ("current_tcb", currentTCB), ("reported_tcb", reportedTCB), ("committed_tcb", committedTCB),
      ("launch_tcb", launchTCB),
    ] {
      json.object(name, Self.tcb(field, product))
    }
    json.object("current", Self.firmware(currentFirmware))
    json.object("committed", Self.firmware(committedFirmware))
    json.number("launch_mit_vector", version >= 5 ? launchMitigations : nil)
    json.number("current_mit_vector", version >= 5 ? currentMitigations : nil)
    var parts = JSONObjectWriter()
    parts.bytes("r", signature.r)
    parts.bytes("s", signature.s)
    json.object("signature", parts)
    return Array(#"{"attestation_report":"#.utf8) + json.text
      + Array(#","cert_chain":"#.utf8) + Self.chain(certificates) + Array("}".utf8)
  }

  private static func tcb(_ field: [UInt8], _ product: SNPProduct) -> JSONObjectWriter {
    let version = SNPTCBVersion(field, product: product)
    var json = JSONObjectWriter()
    json.number("fmc", product == .turin ? UInt64(version.fmc) : nil)
    json.number("bootloader", UInt64(version.bootloader))
    json.number("tee", UInt64(version.tee))
    json.number("snp", UInt64(version.snp))
    json.number("microcode", UInt64(version.microcode))
    return json
  }

  private static func firmware(_ field: [UInt8]) -> JSONObjectWriter {
    var json = JSONObjectWriter()
    json.number("major", UInt64(field[2]))
    json.number("minor", UInt64(field[1]))
    json.number("build", UInt64(field[0]))
    return json
  }

  private static func chain(_ certificates: [SNPCertificateTable.Entry]) -> [UInt8] {
    if certificates.isEmpty { return Array("null".utf8) }
    var text: [UInt8] = []
    for entry in certificates {
      let type =
        switch entry.kind {
        case .vcek: "VCEK"
        case .vlek: "VLEK"
        case .ask: "ASK"
        case .ark: "ARK"
        case .crl: "CRL"
        }
      var json = JSONObjectWriter()
      json.string("cert_type", type)
      json.bytes("data", entry.content)
      text += [text.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ",")] + json.text
    }
    return text + Array("]".utf8)
  }
}

/// Writes a JSON object member by member; names and texts are ones that need no escape.
struct JSONObjectWriter {
  private var members: [UInt8] = []

  var text: [UInt8] { Array("{".utf8) + members + Array("}".utf8) }

  mutating func number(_ name: String, _ value: UInt64?) {
    key(name)
    members += value.map { Array("\($0)".utf8) } ?? Array("null".utf8)
  }

  mutating func string(_ name: String, _ value: String) {
    key(name)
    members += Array("\"\(value)\"".utf8)
  }

  mutating func bytes(_ name: String, _ value: [UInt8]) {
    key(name)
    var separator = UInt8(ascii: "[")
    for byte in value {
      members.append(separator)
      members += "\(byte)".utf8
      separator = UInt8(ascii: ",")
    }
    members += Array(value.isEmpty ? "[]".utf8 : "]".utf8)
  }

  mutating func object(_ name: String, _ value: JSONObjectWriter) {
    key(name)
    members += value.text
  }

  private mutating func key(_ name: String) {
    members += Array(members.isEmpty ? "\"".utf8 : ",\"".utf8) + name.utf8 + Array("\":".utf8)
  }
}
