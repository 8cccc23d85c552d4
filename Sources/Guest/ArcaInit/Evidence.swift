import ArcaBytes
import ArcaWire
import TEEEvidence

/// Where evidence comes from; chosen by the measured kernel command line.
enum EvidenceProvider {
  /// What evidence looks like.
  enum Format {
    case snpReport
    case tdxQuote
    case sgxQuote
  }

  /// The host answers as the simulated TEE.
  case simulated(Format)
  /// The kernel's configfs-tsm, or Gramine's pseudo-files.
  case hardware(Format)
  /// SEV-ES and SEV have no evidence inside: the measured command line names the workload.
  case commandLine(workload: [UInt8])

  init(kind: [UInt8]) throws(InitError) {
    let kinds: [(String, EvidenceProvider)] = [
      ("sim-snp", .simulated(.snpReport)), ("sim-tdx", .simulated(.tdxQuote)),
      ("sim-sgx", .simulated(.sgxQuote)),
      ("snp", .hardware(.snpReport)), ("tdx", .hardware(.tdxQuote)),
      ("sgx", .hardware(.sgxQuote)),
    ]
    for (name, provider) in kinds where same(kind, Array(name.utf8)) {
      self = provider
      return
    }
    guard same(kind, Array("sev".utf8)) || same(kind, Array("sev-es".utf8)) else {
      throw InitError(.evidence, Array("unknown kind of TEE: ".utf8) + kind)
    }
    let text = try KernelCommandLine.value(of: "arca.workload=")
    guard let workload = Hex.decode(String(decoding: text, as: UTF8.self)), workload.count == 32
    else { throw InitError(.evidence, "arca.workload= is not 64 hexadecimal digits") }
    self = .commandLine(workload: workload)
  }

  /// Evidence over 64 bytes of report data: a report and its certificate table, or a quote.
  func report(_ reportData: [UInt8], over channel: inout Channel) throws(InitError) -> [UInt8] {
    switch self {
    case .simulated: return try channel.requestEvidence(reportData)
    case .hardware(.sgxQuote): return try Self.enclaveQuote(reportData)
    case .hardware(let format): return try Self.kernelReport(reportData, format)
    case .commandLine: throw InitError(.evidence, "this kind of TEE gives no evidence inside")
    }
  }

  private static func enclaveQuote(_ reportData: [UInt8]) throws(InitError) -> [UInt8] {
    var files = KernelFiles()
    do {
      return try GramineQuote.request(reportData, &files)
    } catch {
      switch error {
      case .file(let path, let failure): throw failure.named(.evidence, path)
      case .type(let name): throw InitError(.evidence, Array("attestation_type is ".utf8) + name)
      case .size: throw InitError(.evidence, "the quote is empty or too large")
      }
    }
  }

  private static func kernelReport(
    _ reportData: [UInt8], _ format: Format
  ) throws(InitError) -> [UInt8] {
    let root = "/sys/kernel/config"
    do {
      if try !System.isFolder(root + "/tsm") {
        try System.mount("configfs", root, "configfs", 0)
      }
    } catch {
      throw error.named(.evidence, root)
    }
    var files = KernelFiles()
    do {
      let report = try TSMReport.request(
        reportData, from: format == .snpReport ? .snp : .tdx, at: root + "/tsm/report", &files)
      return report.document + report.auxiliary
    } catch {
      switch error {
      case .file(let name, let failure): throw failure.named(.evidence, "configfs-tsm: " + name)
      case .provider(let name): throw InitError(.evidence, Array("configfs-tsm is of ".utf8) + name)
      case .generation: throw InitError(.evidence, "configfs-tsm: another request came between")
      case .size: throw InitError(.evidence, "configfs-tsm: evidence is empty or too large")
      }
    }
  }
}

extension EvidenceProvider {
  /// The firmware's log of what it measured, where there is one; whoever verifies replays it.
  static func eventLog() -> [UInt8]? {
    try? File.read("/sys/firmware/acpi/tables/data/CCEL", bytesMax: Wire.controlBytesMax)
  }
}

extension LaunchSecrets {
  /// What came with the launch, for the kinds without evidence; the kernel's copy is wiped.
  static func ofLaunch() throws(InitError) -> LaunchSecrets {
    let root = "/sys/kernel/security"
    var files = KernelFiles()
    var content = try step(.secret, "secrets of the launch, by efi_secret") {
      () throws(SystemError) in
      try System.mount("securityfs", root, "securityfs", 0)
      return try take(at: root, &files)
    }
    defer { Crypto.wipe(&content) }
    guard let secrets = try? LaunchSecrets(decoding: content) else {
      throw InitError(.secret, "secrets of the launch: not in their form")
    }
    return secrets
  }
}

/// The kernel's own files.
private struct KernelFiles: TSMFiles {
  func makeFolder(_ path: String) throws(SystemError) {
    try System.makeFolder(path, mode: 0o700)
  }

  func removeFolder(_ path: String) throws(SystemError) { try System.removeFolder(path) }

  func removeFile(_ path: String) throws(SystemError) { try System.unlink(path) }

  func write(_ path: String, _ content: [UInt8]) throws(SystemError) {
    try File.write(path, content, mode: 0o600)
  }

  func read(_ path: String, bytesMax: Int) throws(SystemError) -> [UInt8] {
    try File.read(path, bytesMax: bytesMax)
  }
}

/// What the TEE says about report data and workload.
private struct Identity {
  let reportData: [UInt8]
  /// The workload digest, zero-padded to the field's size.
  let workload: [UInt8]
  let fields: (reportData: String, workload: String)

  init(_ evidence: [UInt8], _ format: EvidenceProvider.Format) throws(InitError) {
    do throws(EvidenceError) {
      switch format {
      case .snpReport:
        let report = try SNPReport(Array(evidence.prefix(SNPReport.byteCount)))
        reportData = report.reportData
        workload = report.hostData
        fields = ("REPORT_DATA", "HOST_DATA")
      case .tdxQuote:
        guard case .tdx(let report) = try QuoteBody(of: evidence) else {
          throw EvidenceError(.unknownType, "quote of an SGX enclave", at: 4)
        }
        reportData = report.reportData
        workload = report.mrConfigID
        fields = ("REPORTDATA", "MRCONFIGID")
      case .sgxQuote:
        guard case .sgx(let report) = try QuoteBody(of: evidence) else {
          throw EvidenceError(.unknownType, "quote of a trust domain", at: 4)
        }
        reportData = report.reportData
        // Gramine leaves CONFIGID zero; the environment is of the manifest that MRENCLAVE covers.
        workload =
          Hex.decode(
            String(decoding: System.environment("ARCA_WORKLOAD"), as: UTF8.self)) ?? []
        fields = ("REPORTDATA", "ARCA_WORKLOAD")
      }
    } catch {
      throw InitError(.evidence, "what was given as evidence is none, at byte \(error.offset)")
    }
  }

  /// What the TDX module says.
  ///
  /// A quote comes by way of the host, who could give another TD's, and nothing in here can verify
  /// it; the module's own report never leaves the TD.
  init(ofTrustDomain nonce: [UInt8]) throws(InitError) {
    let bytes: [UInt8]
    do {
      bytes = try System.trustDomainReport(nonce)
    } catch {
      throw error.named(.evidence, "/dev/tdx_guest")
    }
    do throws(EvidenceError) {
      let report = try TDReportStructure(bytes)
      reportData = report.reportData
      workload = report.mrConfigID
      fields = ("REPORTDATA", "MRCONFIGID")
    } catch {
      throw InitError(.evidence, "the TDX module's report is none, at byte \(error.offset)")
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
  let identity: Identity
  let evidence: [UInt8]
  switch provider {
  case .commandLine(let workload):
    return try checkDigest(of: manifest, against: workload, in: "arca.workload=")
  case .hardware(.tdxQuote):
    identity = try Identity(ofTrustDomain: nonce)
    evidence = try provider.report(nonce, over: &channel)
  case .simulated(let format), .hardware(let format):
    evidence = try provider.report(nonce, over: &channel)
    identity = try Identity(evidence, format)
  }
  guard same(identity.reportData, nonce) else {
    throw InitError(
      .evidence, "the evidence's \(identity.fields.reportData) is not what was asked for")
  }
  try checkDigest(of: manifest, against: identity.workload, in: identity.fields.workload)
  guard case .hardware(let format) = provider else { return }
  // For the host's records; in simulation it made the evidence itself.
  channel.send(.evidence(evidence))
  if format == .tdxQuote, let events = EvidenceProvider.eventLog() {
    channel.send(.eventLog(events))
  }
}

private func checkDigest(
  of manifest: [UInt8], against found: [UInt8], in field: String
) throws(InitError) {
  let digest = ManifestDigest.sha256(manifest)
  let expected = digest + [UInt8](repeating: 0, count: max(0, found.count - digest.count))
  guard same(found, expected) else {
    throw InitError(
      .identity, "manifest digest \(Hex.encode(digest)), but \(field) is \(Hex.encode(found))")
  }
}
