import ArcaBytes
import Crypto
import Foundation
import TEEAttestation
import TEEEvidence

/// Evidence as clients of the CoCo key broker protocol send it, alone or in its request.
struct KBSAttestation {
  /// The evidence in the vendor's format.
  let evidence: Evidence
  /// The key that the request says the TEE made, and what else it binds; nil for evidence alone.
  private let runtimeData: [String: Any]?
  private let additionalEvidence: String

  /// Takes evidence of `snp`, `tdx` or `sgx`, or a request of `/attest` that holds it; nil where
  /// `object` is neither.
  init?(_ object: [String: Any]) throws {
    let wrapper = object["tee-evidence"] as? [String: Any]
    let primary = wrapper?["primary_evidence"] as? [String: Any] ?? object
    if let quote = primary["quote"] as? String {
      guard let bytes = AttestInput.base64(quote), let evidence = Evidence(detecting: bytes) else {
        throw CommandError("KBS evidence: its quote is not one in Base64")
      }
      self.evidence = evidence
    } else if let report = primary["attestation_report"] as? [String: Any] {
      evidence = try Self.snp(report, chain: primary["cert_chain"] as? [[String: Any]] ?? [])
    } else {
      return nil
    }
    runtimeData = object["runtime-data"] as? [String: Any]
    additionalEvidence = wrapper?["additional_evidence"] as? String ?? ""
  }

  /// The report data that binds `nonce` and the TEE's key, or nil where the request has no key.
  ///
  /// The protocol's rule: SHA-384 over canonical JSON (RFC 8785) of the three members.
  func reportData(nonce: String) throws -> [UInt8]? {
    guard let key = runtimeData?["tee-pubkey"] as? [String: Any] else { return nil }
    let bound: [String: Any] = [
      "additional-evidence": additionalEvidence, "nonce": nonce, "tee-pubkey": key,
    ]
    let canonical = try JSONSerialization.data(
      withJSONObject: bound, options: [.sortedKeys, .withoutEscapingSlashes])
    return Array(SHA384.hash(data: canonical))
  }

  private static func snp(_ json: [String: Any], chain: [[String: Any]]) throws -> Evidence {
    var fields = Fields(json: json)
    var report = SNPReport(version: UInt32(truncatingIfNeeded: fields.number("version")))
    report.guestSVN = UInt32(truncatingIfNeeded: fields.number("guest_svn"))
    report.policy = SNPPolicy(rawValue: fields.number("policy"))
    report.familyID = fields.bytes("family_id", 16)
    report.imageID = fields.bytes("image_id", 16)
    report.vmpl = UInt32(truncatingIfNeeded: fields.number("vmpl"))
    report.platformInfo = fields.number("plat_info")
    report.flags = UInt32(truncatingIfNeeded: fields.number("key_info"))
    report.reportData = fields.bytes("report_data", 64)
    report.measurement = fields.bytes("measurement", 48)
    report.hostData = fields.bytes("host_data", 32)
    report.idKeyDigest = fields.bytes("id_key_digest", 48)
    report.authorKeyDigest = fields.bytes("author_key_digest", 48)
    report.reportID = fields.bytes("report_id", 32)
    report.reportIDMigrationAgent = fields.bytes("report_id_ma", 32)
    report.cpuid = (
      UInt8(truncatingIfNeeded: fields.optional("cpuid_fam_id")),
      UInt8(truncatingIfNeeded: fields.optional("cpuid_mod_id")),
      UInt8(truncatingIfNeeded: fields.optional("cpuid_step"))
    )
    report.chipID = fields.bytes("chip_id", 64)
    report.launchMitigations = fields.optional("launch_mit_vector")
    report.currentMitigations = fields.optional("current_mit_vector")
    report.currentFirmware = fields.version("current")
    report.committedFirmware = fields.version("committed")
    let signature = Fields(json: json["signature"] as? [String: Any] ?? [:])
    report.signature = (signature.peek("r", 72), signature.peek("s", 72))
    // Turin alone has the component fmc, and orders the others differently.
    report.currentTCB = fields.tcb("current_tcb")
    report.reportedTCB = fields.tcb("reported_tcb")
    report.committedTCB = fields.tcb("committed_tcb")
    report.launchTCB = fields.tcb("launch_tcb")
    if let wrong = fields.wrong {
      throw CommandError("KBS evidence: attestation_report.\(wrong) is absent or of another form")
    }
    let kinds: [String: SNPCertificateTable.Kind] = [
      "VCEK": .vcek, "VLEK": .vlek, "ASK": .ask, "ARK": .ark, "CRL": .crl,
    ]
    let entries = chain.compactMap { entry -> SNPCertificateTable.Entry? in
      guard let kind = (entry["cert_type"] as? String).flatMap({ kinds[$0] }),
        let data = entry["data"] as? [Int]
      else { return nil }
      return .init(kind, data.map { UInt8(truncatingIfNeeded: $0) })
    }
    return Evidence(
      kind: .snp, document: report.encoded(),
      certificateTable: entries.isEmpty ? [] : SNPCertificateTable(entries).encoded())
  }
}

/// The fields of a JSON object; the first that is wrong is remembered.
private struct Fields {
  let json: [String: Any]
  private(set) var wrong: String?

  init(json: [String: Any]) {
    self.json = json
  }

  mutating func number(_ name: String) -> UInt64 {
    guard let number = json[name] as? NSNumber else {
      wrong = wrong ?? name
      return 0
    }
    return number.uint64Value
  }

  /// A number that may be null.
  func optional(_ name: String) -> UInt64 { (json[name] as? NSNumber)?.uint64Value ?? 0 }

  mutating func bytes(_ name: String, _ count: Int) -> [UInt8] {
    let found = peek(name, count)
    if found.isEmpty { wrong = wrong ?? name }
    return found.isEmpty ? [UInt8](repeating: 0, count: count) : found
  }

  /// The bytes of an array of exactly `count` numbers, or none.
  func peek(_ name: String, _ count: Int) -> [UInt8] {
    let bytes = (json[name] as? [Int] ?? []).compactMap { UInt8(exactly: $0) }
    return bytes.count == count ? bytes : []
  }

  /// A firmware version in the order in which a report holds it: build, minor, major.
  mutating func version(_ name: String) -> [UInt8] {
    var parts = Fields(json: json[name] as? [String: Any] ?? [:])
    let bytes = ["build", "minor", "major"].map {
      UInt8(truncatingIfNeeded: parts.number($0))
    }
    if parts.wrong != nil { wrong = wrong ?? name }
    return bytes
  }

  mutating func tcb(_ name: String) -> [UInt8] {
    let object = json[name] as? [String: Any] ?? [:]
    var parts = Fields(json: object)
    let product: SNPProduct = object["fmc"] as? NSNumber == nil ? .milan : .turin
    let version = SNPTCBVersion(
      fmc: UInt8(truncatingIfNeeded: parts.optional("fmc")),
      bootloader: UInt8(truncatingIfNeeded: parts.number("bootloader")),
      tee: UInt8(truncatingIfNeeded: parts.number("tee")),
      snp: UInt8(truncatingIfNeeded: parts.number("snp")),
      microcode: UInt8(truncatingIfNeeded: parts.number("microcode")), product: product)
    if parts.wrong != nil { wrong = wrong ?? name }
    return version.encoded(product: product)
  }
}
