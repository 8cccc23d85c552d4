import ArcaBytes
import TEEEvidence

extension Attestation {
  /// The fields of a report by the protocol's names, as far as they are taken over as they are: a
  /// number where they have at most 8 bytes, else the bytes.
  private static let fields: [(name: String, place: Range<Int>)] = [
    ("version", 0x00..<0x04), ("guest_svn", 0x04..<0x08), ("policy", 0x08..<0x10),
    ("family_id", 0x10..<0x20), ("image_id", 0x20..<0x30), ("vmpl", 0x30..<0x34),
    ("sig_algo", 0x34..<0x38), ("plat_info", 0x40..<0x48), ("key_info", 0x48..<0x4C),
    ("report_data", 0x50..<0x90), ("measurement", 0x90..<0xC0), ("host_data", 0xC0..<0xE0),
    ("id_key_digest", 0xE0..<0x110), ("author_key_digest", 0x110..<0x140),
    ("report_id", 0x140..<0x160), ("report_id_ma", 0x160..<0x180),
    ("cpuid_fam_id", 0x188..<0x189), ("cpuid_mod_id", 0x189..<0x18A),
    ("cpuid_step", 0x18A..<0x18B), ("chip_id", 0x1A0..<0x1E0),
  ]

  /// The evidence of an SNP guest: the report and what came with it.
  ///
  /// - Throws: ``AttesterError/Code/unsupported`` where the report's version or CPUID is unknown to
  ///   the protocol.
  public static func report(
    _ report: SNPReportForm, certificates: [SNPCertificateTable.Entry]
  ) throws(AttesterError) -> [UInt8] {
    let bytes = report.bytes
    guard report.version >= 3, let product = SNPProduct(family: bytes[0x188], model: bytes[0x189])
    else { throw AttesterError(.unsupported, "report's CPUID") }
    var json = JSONObjectWriter()
    for (name, place) in fields {
      if place.count > 8 {
        json.bytes(name, bytes[place])
      } else {
        json.number(name, bytes[place].littleEndian)
      }
    }
    for (name, start) in [
      ("current_tcb", 0x38), ("reported_tcb", 0x180), ("committed_tcb", 0x1E0),
      ("launch_tcb", 0x1F0),
    ] {
      let offsets = product.tcbOffsets
      var tcb = JSONObjectWriter()
      tcb.number("fmc", offsets.fmc.map { UInt64(bytes[start + $0]) })
      tcb.number("bootloader", UInt64(bytes[start + offsets.bootloader]))
      tcb.number("tee", UInt64(bytes[start + offsets.tee]))
      tcb.number("snp", UInt64(bytes[start + offsets.snp]))
      tcb.number("microcode", UInt64(bytes[start + offsets.microcode]))
      json.member(name, tcb.text)
    }
    for (name, start) in [("current", 0x1E8), ("committed", 0x1EC)] {
      var firmware = JSONObjectWriter()
      firmware.number("major", UInt64(bytes[start + 2]))
      firmware.number("minor", UInt64(bytes[start + 1]))
      firmware.number("build", UInt64(bytes[start]))
      json.member(name, firmware.text)
    }
    for (name, start) in [("launch_mit_vector", 0x1F8), ("current_mit_vector", 0x200)] {
      json.number(name, report.version >= 5 ? bytes[start..<start + 8].littleEndian : nil)
    }
    var signature = JSONObjectWriter()
    signature.bytes("r", bytes[0x2A0..<0x2E8])
    signature.bytes("s", bytes[0x2E8..<0x330])
    json.member("signature", signature.text)
    return Array(#"{"attestation_report":"#.utf8) + json.text
      + Array(#","cert_chain":"#.utf8) + chain(certificates) + Array("}".utf8)
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
      json.member("cert_type", Array("\"\(type)\"".utf8))
      json.bytes("data", entry.content[...])
      text += [UInt8(ascii: text.isEmpty ? "[" : ",")] + json.text
    }
    return text + Array("]".utf8)
  }
}

/// Writes a JSON object member by member; names and values are ones that need no escape.
struct JSONObjectWriter {
  private var members: [UInt8] = []

  var text: [UInt8] { Array("{".utf8) + members + Array("}".utf8) }

  /// Appends a member whose value is JSON already.
  mutating func member(_ name: String, _ value: [UInt8]) {
    members += Array("\(members.isEmpty ? "" : ",")\"\(name)\":".utf8) + value
  }

  mutating func number(_ name: String, _ value: UInt64?) {
    member(name, Array((value.map { "\($0)" } ?? "null").utf8))
  }

  mutating func bytes(_ name: String, _ value: ArraySlice<UInt8>) {
    var list: [UInt8] = []
    for byte in value { list += Array("\(list.isEmpty ? "" : ",")\(byte)".utf8) }
    member(name, Array("[".utf8) + list + Array("]".utf8))
  }
}
