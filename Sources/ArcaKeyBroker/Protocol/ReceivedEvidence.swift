import TEEAttestation
import TEEEvidence

/// The evidence of one attestation as it is kept with its session, to be judged again by the rules
/// of each resource that is asked for.
public enum ReceivedEvidence: Sendable {
  /// Evidence of a TEE; its certificate table holds what the attester brought to vouch for it.
  case tee(Evidence)
  /// CoCo's sample evidence: the bound report data and nothing that proves it.
  case sample(reportData: [UInt8])

  /// Reads `primary_evidence` as the attester of `kind` writes it.
  public init(_ json: StrictJSON, kind: AttesterKind) throws(KeyBrokerError) {
    switch kind {
    case .snp:
      guard let report = json["attestation_report"] else {
        throw KeyBrokerError(.malformed, "snp evidence: no attestation_report")
      }
      let document = try SNPReport(json: report).encoded()
      self = .tee(
        Evidence(
          kind: .snp, document: document, certificateTable: try Self.certificateTable(json)))
    case .tdx, .sgx:
      guard let quote = json["quote"]?.text.flatMap({ Base64.decode($0, .standard) }) else {
        throw KeyBrokerError(.malformed, "\(kind.rawValue) evidence: quote is not base64")
      }
      let tee: TEEKind = kind == .tdx ? .tdx : .sgx
      self = .tee(Evidence(kind: tee, document: quote))
    case .sevES, .sev:
      throw KeyBrokerError(
        .unsupportedTEE, "\(kind.rawValue) evidence: is given at the launch, not by the guest")
    case .sample:
      guard let data = json["report_data"]?.text.flatMap({ Base64.decode($0, .standard) }) else {
        throw KeyBrokerError(.malformed, "sample evidence: report_data is not base64")
      }
      self = .sample(reportData: data)
    }
  }

  private static func certificateTable(_ json: StrictJSON) throws(KeyBrokerError) -> [UInt8] {
    guard let chain = json["cert_chain"], !chain.isNull else { return [] }
    guard let entries = chain.elements, entries.count <= SNPCertificateTable.entriesMax else {
      throw KeyBrokerError(.malformed, "snp evidence: cert_chain is not a short array")
    }
    let kinds: [String: SNPCertificateTable.Kind] = [
      "VCEK": .vcek, "VLEK": .vlek, "ASK": .ask, "ASVK": .ask, "ARK": .ark, "CRL": .crl,
    ]
    var table: [SNPCertificateTable.Entry] = []
    for entry in entries {
      guard let type = entry["cert_type"]?.text, let data = entry["data"]?.octets(nil) else {
        throw KeyBrokerError(.malformed, "snp evidence: cert_chain needs cert_type and data")
      }
      guard let kind = kinds[type] else { continue }
      table.append(.init(kind, data))
    }
    return table.isEmpty ? [] : SNPCertificateTable(table).encoded()
  }
}

extension StrictJSON {
  /// An array of numbers below 256 as bytes, `count` of them where that is given; else nil.
  func octets(_ count: Int?) -> [UInt8]? {
    if case .octets(let bytes) = self { return count == nil || bytes.count == count ? bytes : nil }
    guard let elements, count == nil || elements.count == count else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(elements.count)
    for element in elements {
      guard let number = element.whole, number < 256 else { return nil }
      bytes.append(UInt8(number))
    }
    return bytes
  }
}
