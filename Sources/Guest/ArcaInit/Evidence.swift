import ArcaAttester
import ArcaBytes
import ArcaWire
import TEEEvidence

/// Where evidence comes from; chosen by the measured kernel command line.
enum EvidenceProvider {
  /// What evidence looks like, by what the key broker protocol calls the TEE.
  enum Format: Text, CaseIterable {
    case snpReport = "snp"
    case tdxQuote = "tdx"
    case sgxQuote = "sgx"
  }

  /// The host answers as the simulated TEE.
  case simulated(Format)
  /// The kernel's configfs-tsm, or Gramine's pseudo-files.
  case hardware(Format)
  /// SEV-ES and SEV have no evidence inside: the measured command line names the workload.
  case commandLine(workload: [UInt8])

  init(kind: [UInt8]) throws(InitError) {
    let isSimulated = kind.starts(ascii: "sim-")
    let name = kind.dropFirst(isSimulated ? 4 : 0)
    if let format = Format.allCases.first(where: { name.elementsEqual($0.rawValue.utf8) }) {
      self = isSimulated ? .simulated(format) : .hardware(format)
      return
    }
    guard kind.elementsEqual(ascii: "sev") || kind.elementsEqual(ascii: "sev-es") else {
      throw InitError(.evidence, "unknown kind of TEE: \(kind)")
    }
    let text = try KernelCommandLine.value(of: "arca.workload=")
    guard let workload = Hex.decode(Text(decoding: text, as: UTF8.self)), workload.count == 32
    else { throw InitError(.evidence, "arca.workload= is not 64 hexadecimal digits") }
    self = .commandLine(workload: workload)
  }

  /// Evidence over 64 bytes of report data: a report and its certificate table, or a quote.
  func report(_ reportData: [UInt8], over channel: Channel) throws(InitError) -> [UInt8] {
    switch self {
    case .simulated: return try channel.requestEvidence(reportData)
    case .hardware(.sgxQuote):
      var files = KernelFiles()
      do { return try GramineQuote.request(reportData, &files) } catch {
        throw InitError(error, of: "/dev/attestation")
      }
    case .hardware(let format): return try Self.kernelReport(reportData, format)
    case .commandLine: throw InitError(.evidence, "this kind of TEE gives no evidence inside")
    }
  }

  private static func kernelReport(
    _ reportData: [UInt8], _ format: Format
  ) throws(InitError) -> [UInt8] {
    let root = "/sys/kernel/config"
    try step(.evidence, root) { () throws(SystemError) in
      if try !System.isFolder("\(root)/tsm") { try System.mount("configfs", root, "configfs", 0) }
    }
    var files = KernelFiles()
    do {
      return try TSMReport.request(
        reportData, from: format == .snpReport ? .snp : .tdx, at: "\(root)/tsm/report", &files)
    } catch {
      throw InitError(error, of: "configfs-tsm")
    }
  }

  /// The firmware's log of what it measured, where there is one; whoever verifies replays it.
  static func eventLog() -> [UInt8]? {
    try? File.read("/sys/firmware/acpi/tables/data/CCEL", bytesMax: Wire.controlBytesMax)
  }

  // MARK: - The key broker's form

  /// What the key broker protocol calls the TEE.
  var protocolName: Text {
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

extension InitError {
  /// Why `source` gave no evidence.
  fileprivate init(_ fault: TSMFault<SystemError>, of source: Text) {
    switch fault {
    case .file(let name, let failure): self = failure.named(.evidence, "\(source): \(name)")
    case .provider(let name): self.init(.evidence, "\(source) is of \(name)")
    case .generation: self.init(.evidence, "\(source): another request came between")
    case .size: self.init(.evidence, "\(source): evidence is empty or too large")
    }
  }
}

/// Reads what was given as evidence.
func attempt<Value>(
  _ call: @autoclosure () throws(EvidenceError) -> Value
) throws(InitError) -> Value {
  do { return try call() } catch {
    throw InitError(
      .evidence, "what was given as evidence is none: \(error.field), at byte \(error.offset)")
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
  func makeFolder(_ path: Text) throws(SystemError) {
    try System.makeFolder(path, mode: 0o700)
  }

  func removeFolder(_ path: Text) throws(SystemError) { try System.removeFolder(path) }

  func removeFile(_ path: Text) throws(SystemError) { try System.unlink(path) }

  func write(_ path: Text, _ content: [UInt8]) throws(SystemError) {
    try File.write(path, content, mode: 0o600)
  }

  func read(_ path: Text, bytesMax: Int) throws(SystemError) -> [UInt8] {
    try File.read(path, bytesMax: bytesMax)
  }
}

/// What the TEE says about report data and workload.
private struct Identity {
  let reportData: [UInt8]
  /// The workload digest, zero-padded to the field's size.
  let workload: [UInt8]
  let fields: (reportData: Text, workload: Text)

  init(_ evidence: [UInt8], _ format: EvidenceProvider.Format) throws(EvidenceError) {
    switch format {
    case .snpReport:
      let report = try SNPReportForm(Array(evidence.prefix(SNPReportForm.byteCount)))
      (reportData, workload) = (report.reportData, report.hostData)
      fields = ("REPORT_DATA", "HOST_DATA")
    case .tdxQuote, .sgxQuote:
      let quote = try QuoteForm(evidence)
      guard quote.tee == (format == .tdxQuote ? .tdx : .sgx) else {
        throw EvidenceError(.unknownType, "quote of another kind of TEE", at: 4)
      }
      reportData = quote.reportData
      // Gramine leaves CONFIGID zero; the environment is of the manifest that MRENCLAVE covers.
      let variable = System.environment("ARCA_WORKLOAD") ?? []
      workload = quote.tee == .tdx ? quote.mrConfigID : Hex.decode("\(variable)") ?? []
      fields = ("REPORTDATA", quote.tee == .tdx ? "MRCONFIGID" : "ARCA_WORKLOAD")
    }
  }

  /// What the TDX module says.
  ///
  /// A quote comes by way of the host, who could give another TD's, and nothing in here can verify
  /// it; the module's own report never leaves the TD.
  init(ofTrustDomain module: [UInt8]) throws(EvidenceError) {
    let report = try TDReportStructure(module)
    (reportData, workload) = (report.reportData, report.mrConfigID)
    fields = ("REPORTDATA", "MRCONFIGID")
  }
}

/// Demands that the TEE itself reports the digest of `manifest`.
func checkIdentity(
  of manifest: [UInt8], by provider: EvidenceProvider, over channel: Channel
) throws(InitError) {
  let nonce = try attempt(.evidence, "getrandom", System.random(64))
  let (evidence, identity): ([UInt8], Identity)
  switch provider {
  case .commandLine(let workload):
    return try checkDigest(of: manifest, against: workload, in: "arca.workload=")
  case .hardware(.tdxQuote):
    let module = try attempt(.evidence, "/dev/tdx_guest", System.trustDomainReport(nonce))
    evidence = try provider.report(nonce, over: channel)
    identity = try attempt(Identity(ofTrustDomain: module))
  case .simulated(let format), .hardware(let format):
    evidence = try provider.report(nonce, over: channel)
    identity = try attempt(Identity(evidence, format))
  }
  guard identity.reportData == nonce else {
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
  of manifest: [UInt8], against found: [UInt8], in field: Text
) throws(InitError) {
  let digest = Crypto.sha256(manifest)
  let expected = digest + [UInt8](repeating: 0, count: max(0, found.count - digest.count))
  guard found == expected else {
    throw InitError(
      .identity, "manifest digest \(Hex.encode(digest)), but \(field) is \(Hex.encode(found))")
  }
}
