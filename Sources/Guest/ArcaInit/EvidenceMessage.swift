import ArcaAttester
import ArcaBytes
import ArcaWire
import TEEEvidence

extension EvidenceProvider {
  /// What the key broker protocol calls the TEE.
  var protocolName: String {
    get throws(InitError) {
      switch self {
      case .simulated(let format), .hardware(let format): return format.rawValue
      case .commandLine:
        throw InitError(.evidence, "SEV and SEV-ES get their secret at the launch, from the owner")
      }
    }
  }

  /// Evidence over 64 bytes of report data in the protocol's JSON form.
  func message(_ reportData: [UInt8], over channel: Channel) throws(InitError) -> [UInt8] {
    let evidence = try report(reportData, over: channel)
    switch self {
    case .simulated(.tdxQuote), .simulated(.sgxQuote), .hardware(.sgxQuote):
      return Attestation.quote(evidence, eventLog: nil)
    case .hardware(.tdxQuote): return Attestation.quote(evidence, eventLog: Self.eventLog())
    default: return try Self.snpMessage(evidence)
    }
  }

  private static func snpMessage(_ evidence: [UInt8]) throws(InitError) -> [UInt8] {
    let report = try attempt(SNPReportForm(Array(evidence.prefix(SNPReportForm.byteCount))))
    // What vouches for the report is the host's, and only the broker judges it.
    let table = Array(evidence.dropFirst(SNPReportForm.byteCount))
    let entries = table.isEmpty ? [] : try attempt(SNPCertificateTable(table)).entries
    do {
      return try Attestation.report(report, certificates: entries)
    } catch {
      throw InitError(.evidence, "the report cannot be sent to a key broker: \(error.field)")
    }
  }
}
