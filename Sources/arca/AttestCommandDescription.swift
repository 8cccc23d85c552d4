import ArcaBytes
import TEEAttestation
import TEEEvidence
import TEEMeasurement

/// What a file says, for people and for programs; nothing about it has been checked.
struct AttestDescription {
  typealias Field = (name: String, value: JSONValue)

  /// What the file is.
  let kind: String
  /// Its fields in order.
  private let fields: [Field]

  init(_ input: AttestInput) {
    switch input {
    case .evidence(let evidence, let request):
      (kind, fields) = Self.evidence(evidence, isRequest: request != nil)
    case .eventLog(let log):
      kind = "a TDX event log"
      fields = Self.eventLog(log)
    case .certificates(let certificates):
      kind = certificates.count == 1 ? "a certificate" : "\(certificates.count) certificates"
      fields = certificates.map { ($0.commonName ?? "certificate", Self.certificate($0)) }
    case .certificateTable(let table):
      kind = "an SNP certificate table"
      fields = table.entries.map { ("\($0.kind)", Self.tableEntry($0)) }
    case .revocationList(let list):
      kind = "a revocation list"
      fields = [
        ("this_update", .string(list.thisUpdate.text)),
        ("next_update", .string(list.nextUpdate.text)),
        ("revoked_certificates", Self.number(list.entryCount)),
      ]
    case .tcbInfo(let info):
      kind = "Intel TCB info"
      fields = [
        ("fmspc", Self.hex(info.fmspc)), ("pce_id", Self.hex(info.pceID)),
        ("issue_date", .string(info.issueDate.text)),
        ("next_update", .string(info.nextUpdate.text)),
        ("tcb_evaluation_data_number", Self.number(info.evaluationDataNumber)),
        ("tcb_levels", Self.number(info.levels.count)),
        ("tdx_modules", Self.number(info.tdxModules.count)),
      ]
    case .qeIdentity(let identity):
      kind = "an Intel QE identity"
      fields = [
        ("mr_signer", Self.hex(identity.mrSigner)),
        ("isv_prod_id", Self.number(identity.isvProductID)),
        ("issue_date", .string(identity.issueDate.text)),
        ("next_update", .string(identity.nextUpdate.text)),
        ("tcb_evaluation_data_number", Self.number(identity.evaluationDataNumber)),
        ("tcb_levels", Self.number(identity.levels.count)),
      ]
    case .sigstruct(let structure):
      kind = "an SGX SIGSTRUCT"
      fields = Self.sigstruct(structure)
    }
  }

  var text: String {
    (["\(kind) (unverified)"] + fields.flatMap { Self.lines($0.name, $0.value, indent: "  ") })
      .joined(separator: "\n")
  }

  var json: JSONValue {
    .object([
      "kind": .string(kind), "verified": .bool(false),
      "fields": .object(
        Dictionary(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })),
    ])
  }

  private static func lines(_ name: String, _ value: JSONValue, indent: String) -> [String] {
    switch value {
    case .null: return []
    case .bool(let flag): return ["\(indent)\(name): \(flag ? "yes" : "no")"]
    case .number(let number): return ["\(indent)\(name): \(number)"]
    case .string(let text): return ["\(indent)\(name): \(text)"]
    case .array(let items):
      return items.enumerated().flatMap {
        lines("\(name) \($0.offset)", $0.element, indent: indent)
      }
    case .object(let members):
      return ["\(indent)\(name)"]
        + members.sorted { $0.key < $1.key }.flatMap {
          lines($0.key, $0.value, indent: indent + "  ")
        }
    }
  }

  private static func evidence(_ evidence: Evidence, isRequest: Bool) -> (String, [Field]) {
    let names: [TEEKind: String] = [
      .snp: "an SEV-SNP report", .tdx: "a TDX quote", .sgx: "an SGX quote",
      .sevES: "a SEV-ES launch", .sev: "a SEV launch",
    ]
    let kind = (names[evidence.kind] ?? "") + (isRequest ? " in the CoCo key broker's format" : "")
    // A verdict states the claims whatever it says about them; evidence that is malformed has none.
    let verdict = Verifier().verdict(on: evidence, under: .vendorOnly, at: .now)
    guard let claims = verdict.claims else {
      return ("\(kind), malformed", verdict.reasons.map { ($0.name, .string($0.found.text)) })
    }
    let origin = verdict.simulated ? " of a simulated TEE, which no hardware protects" : ""
    return (kind + origin, claims.fields.map { ($0.name, .string($0.value.text)) })
  }

  private static func eventLog(_ log: EventLog) -> [Field] {
    let replayed = log.replay().enumerated().map { ("rtmr\($0.offset)", hex($0.element)) }
    let events = log.events.map { event -> JSONValue in
      var register = "mrtd"
      if case .rtmr(let index) = event.register { register = "rtmr\(index)" }
      return .object([
        "register": .string(register), "type": .string("0x" + String(event.type, radix: 16)),
        "digest": event.digest.map(hex) ?? .null,
        "name": event.name.isEmpty ? .null : .string(String(decoding: event.name, as: UTF8.self)),
      ])
    }
    return replayed + [("event", .array(events))]
  }

  private static func sigstruct(_ structure: Sigstruct) -> [Field] {
    let identity = structure.identity
    let signature = Result { () throws(MeasurementError) in try structure.verify() }
    var isSigned = false
    if case .success = signature { isSigned = true }
    return [
      ("mrenclave", hex(identity.mrenclave)), ("mrsigner", hex(structure.mrsigner)),
      ("attributes", hex(identity.attributes)), ("attributes_mask", hex(identity.attributesMask)),
      ("misc_select", number(identity.miscSelect)), ("isv_prod_id", number(identity.productID)),
      ("isv_svn", number(identity.securityVersion)),
      ("date", .string(String(identity.date, radix: 16))), ("signature_holds", .bool(isSigned)),
    ]
  }

  private static func certificate(_ certificate: X509Certificate) -> JSONValue {
    .object([
      "common_name": .string(certificate.commonName ?? ""),
      "not_before": .string(certificate.notBefore.text),
      "not_after": .string(certificate.notAfter.text), "serial": hex(certificate.serialNumber),
      "is_authority": .bool(certificate.isAuthority),
    ])
  }

  private static func tableEntry(_ entry: SNPCertificateTable.Entry) -> JSONValue {
    if let read = try? X509Certificate(der: entry.content) { return certificate(read) }
    return .object(["bytes": number(entry.content.count)])
  }

  private static func hex(_ bytes: [UInt8]) -> JSONValue { .string(Hex.encode(bytes)) }

  private static func number(_ value: some BinaryInteger) -> JSONValue {
    .number(Int64(clamping: value))
  }
}
