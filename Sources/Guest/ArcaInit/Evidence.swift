import ArcaBytes
import ArcaWire
import TEEEvidence

/// Where evidence comes from; chosen by the measured kernel command line.
enum EvidenceProvider {
  /// The host answers as the simulated TEE.
  case simulatedSNP
  /// The kernel's configfs-tsm (`/sys/kernel/config/tsm/report`), SNP.
  case snp

  init(kind: [UInt8]) throws(InitError) {
    if same(kind, Array("sim-snp".utf8)) {
      self = .simulatedSNP
    } else if same(kind, Array("snp".utf8)) {
      self = .snp
    } else {
      throw InitError(.evidence, Array("unknown kind of TEE: ".utf8) + kind)
    }
  }

  /// An SNP attestation report over 64 bytes of report data.
  func report(_ reportData: [UInt8], over channel: inout Channel) throws(InitError) -> [UInt8] {
    switch self {
    case .simulatedSNP: return try channel.requestEvidence(reportData)
    case .snp: return try Self.kernelReport(reportData)
    }
  }

  private static func kernelReport(_ reportData: [UInt8]) throws(InitError) -> [UInt8] {
    let entry = "/sys/kernel/config/tsm/report/arca"
    do {
      try System.mount("configfs", "/sys/kernel/config", "configfs", 0)
      try System.makeFolder(entry, mode: 0o700)
      try File.write("\(entry)/inblob", reportData, mode: 0o600)
      let report = try File.read("\(entry)/outblob", bytesMax: SNPReport.byteCount + 1)
      try System.removeFolder(entry)
      return report
    } catch {
      throw error.named(.evidence, entry)
    }
  }
}

/// Demands that the TEE itself reports the digest of `manifest`.
func checkIdentity(
  of manifest: [UInt8], by provider: EvidenceProvider, over channel: inout Channel
) throws(InitError) {
  let nonce: [UInt8]
  do {
    nonce = try System.random(64)
  } catch {
    throw error.named(.evidence, "getrandom")
  }
  let encoded = try provider.report(nonce, over: &channel)
  let report: SNPReport
  do {
    report = try SNPReport(encoded)
  } catch {
    throw InitError(.evidence, "what was given as a report is none, at byte \(error.offset)")
  }
  guard same(report.reportData, nonce) else {
    throw InitError(.evidence, "the report's REPORT_DATA is not what was asked for")
  }
  let digest = ManifestDigest.sha256(manifest)
  guard same(report.hostData, digest) else {
    throw InitError(
      .identity,
      "manifest digest \(Hex.encode(digest)), but HOST_DATA is \(Hex.encode(report.hostData))")
  }
}
