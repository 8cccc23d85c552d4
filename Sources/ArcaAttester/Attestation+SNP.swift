import ArcaBytes
import TEEEvidence

extension Attestation {
  /// The fields of a report by the protocol's names, as far as they are taken over as they are: a
  /// number where they have at most 8 bytes, else the bytes.
  private static let fields: [(name: Text, place: Range<Int>)] = [
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
    func number(_ start: Int, _ count: Int = 1) -> Text {
      "\(bytes[start..<start + count].littleEndian)"
    }
    func tcb(_ start: Int) -> Text {
      let offsets = product.tcbOffsets
      return object([
        ("fmc", offsets.fmc.map { number(start + $0) } ?? "null"),
        ("bootloader", number(start + offsets.bootloader)), ("tee", number(start + offsets.tee)),
        ("snp", number(start + offsets.snp)), ("microcode", number(start + offsets.microcode)),
      ])
    }
    func firmware(_ start: Int) -> Text {
      object([("major", number(start + 2)), ("minor", number(start + 1)), ("build", number(start))])
    }
    let members = fields.map { name, place in
      (name, place.count > 8 ? list(bytes[place]) : number(place.lowerBound, place.count))
    }
    let signature = object([("r", list(bytes[0x2A0..<0x2E8])), ("s", list(bytes[0x2E8..<0x330]))])
    let others: [(Text, Text)] = [
      ("current_tcb", tcb(0x38)), ("reported_tcb", tcb(0x180)), ("committed_tcb", tcb(0x1E0)),
      ("launch_tcb", tcb(0x1F0)), ("current", firmware(0x1E8)), ("committed", firmware(0x1EC)),
      ("launch_mit_vector", report.version >= 5 ? number(0x1F8, 8) : "null"),
      ("current_mit_vector", report.version >= 5 ? number(0x200, 8) : "null"),
      ("signature", signature),
    ]
    let chain = certificates.map {
      object([("cert_type", "\"\($0.kind.rawValue)\""), ("data", list($0.content[...]))])
    }
    let evidence = object([
      ("attestation_report", object(members + others)),
      ("cert_chain", chain.isEmpty ? "null" : "[\(joined(chain))]"),
    ])
    return Array(evidence.utf8)
  }

  /// A JSON object; names and values are ones that need no escape.
  private static func object(_ members: [(Text, Text)]) -> Text {
    "{\(joined(members.map { "\"\($0.0)\":\($0.1)" }))}"
  }

  private static func list(_ bytes: ArraySlice<UInt8>) -> Text {
    "[\(joined(bytes.map { "\($0)" }))]"
  }

  private static func joined(_ values: [Text]) -> Text {
    values.reduce(into: "") { $0 += $0.utf8.isEmpty ? $1 : ",\($1)" }
  }
}
