import ArcaBytes
import TEEAttestation
import Yams

extension ReleasePolicy {
  /// Bytes of a policy at most.
  public static let bytesMax = 1 << 20

  /// Reads a policy in YAML.
  ///
  /// Nothing has a lax default: `resources`, `tees`, `platforms` and `workloads` must be there, and
  /// `any` is a word that has to be written. `referenceValues` gives the contents of a release's
  /// reference values, of the key that `releaseKey` names and of signatures by file name.
  public init(
    yaml: String, referenceValues: (String) -> [UInt8]?
  ) throws(KeyBrokerError) {
    guard yaml.utf8.count <= Self.bytesMax else {
      throw KeyBrokerError(.tooLarge, "policy: more than \(Self.bytesMax) bytes")
    }
    let root = try DocumentNode(yaml: yaml, name: "policy", code: .invalidPolicy)
    try root.expectMembers(["version", "referenceValues", "releaseKey", "rules"])
    guard try root.text("version") == "\(Self.version)" else {
      throw KeyBrokerError(.invalidPolicy, "policy.version: expected \(Self.version)")
    }
    let key =
      try root.has("releaseKey") ? ReleaseKey(root.text("releaseKey"), referenceValues) : nil
    var releases: [String: [PlatformMeasurement]] = [:]
    for (name, file) in try root.optional("referenceValues")?.textMembers() ?? [] {
      guard let content = referenceValues(file) else {
        throw KeyBrokerError(
          .invalidPolicy, "policy.referenceValues.\(name): \(file) cannot be read")
      }
      try key?.check(content, signature: referenceValues(file + ReleaseKey.suffix), of: file)
      releases[name] = try ReferenceValueFile.measurements(content, name: name)
    }
    var rules: [ReleaseRule] = []
    for node in try root.sequence("rules") { rules.append(try ReleaseRule(node, releases)) }
    guard rules.count <= Self.rulesMax, Set(rules.map(\.name)).count == rules.count else {
      throw KeyBrokerError(
        .invalidPolicy, "policy.rules: at most \(Self.rulesMax), each with a name of its own")
    }
    self.rules = rules
  }
}

extension ReleaseRule {
  init(_ node: DocumentNode, _ releases: [String: [PlatformMeasurement]]) throws(KeyBrokerError) {
    try node.expectMembers([
      "name", "resources", "tees", "platforms", "workloads", "signers", "minimumTCB", "statuses",
      "advisories", "dangerouslyAcceptSimulatedEvidence",
      "dangerouslyAcceptMissingRevocationLists",
    ])
    name = try node.text("name")
    var patterns: [ResourcePattern] = []
    for text in try node.texts("resources") { patterns.append(try ResourcePattern(text)) }
    resources = patterns
    tees = try node.words("tees", AttesterKind.self)
    platforms = try Self.platforms(node, releases)
    workloads = try node.digests("workloads", widths: [32])
    signers = try node.has("signers") ? node.digests("signers", widths: [32, 48]) : .any
    var lowest: [TCBVersion.Component] = []
    for (component, text) in try node.optional("minimumTCB")?.textMembers() ?? [] {
      guard let version = UInt32(text) else {
        throw node.fault("minimumTCB.\(component)", "a number of 32 bits")
      }
      lowest.append(.init(component, version))
    }
    minimumTCB = lowest
    statuses = try node.has("statuses") ? node.words("statuses", TCBStatus.self) : [.upToDate]
    advisories = try node.has("advisories") ? node.expectation("advisories") : .any
    dangerouslyAcceptSimulatedEvidence = try node.flag("dangerouslyAcceptSimulatedEvidence")
    dangerouslyAcceptMissingRevocationLists = try node.flag(
      "dangerouslyAcceptMissingRevocationLists")
    guard !statuses.contains(.revoked) else { throw node.fault("statuses", "no Revoked") }
    guard !tees.contains(.sample) || dangerouslyAcceptSimulatedEvidence else {
      throw node.fault("tees", "no sample without dangerouslyAcceptSimulatedEvidence: true")
    }
  }

  private static func platforms(
    _ node: DocumentNode, _ releases: [String: [PlatformMeasurement]]
  ) throws(KeyBrokerError) -> Expectation<PlatformMeasurement> {
    if try node.isAny("platforms") { return .any }
    var values: [PlatformMeasurement] = []
    for entry in try node.sequence("platforms") {
      try entry.expectMembers(["release", "measurement", "rtmrs", "workload"])
      if entry.has("release") {
        let name = try entry.text("release")
        guard let release = releases[name], !entry.has("measurement"), !entry.has("rtmrs"),
          !entry.has("workload")
        else {
          throw entry.fault("release", "a name of referenceValues, alone")
        }
        values += release
        continue
      }
      guard let measurement = Hex.decode(try entry.text("measurement")),
        [32, 48].contains(measurement.count)
      else { throw entry.fault("measurement", "32 or 48 bytes in hexadecimal") }
      var registers: [Expectation<[UInt8]>] = []
      for text in entry.has("rtmrs") ? try entry.texts("rtmrs") : [] {
        if text == "any" {
          registers.append(.any)
        } else if let value = Hex.decode(text), value.count == 48 {
          registers.append(.oneOf([value]))
        } else {
          throw entry.fault("rtmrs", "'any' or 48 bytes in hexadecimal, four times")
        }
      }
      guard registers.isEmpty || registers.count == 4 else {
        throw entry.fault("rtmrs", "four registers")
      }
      var workload: [UInt8]?
      if entry.has("workload") {
        workload = Hex.decode(try entry.text("workload"))
        guard measurement.count == 32, workload?.count == 32 else {
          throw entry.fault(
            "workload", "32 bytes in hexadecimal, beside an MRENCLAVE or SEV's launch digest")
        }
      }
      values.append(
        PlatformMeasurement(measurement, runtimeRegisters: registers, workload: workload))
    }
    return .oneOf(values)
  }
}

/// A release's reference values as `arca measure` writes them.
enum ReferenceValueFile {
  /// The platform measurements in `content`.
  static func measurements(
    _ content: [UInt8], name: String
  ) throws(KeyBrokerError) -> [PlatformMeasurement] {
    let fault = KeyBrokerError(
      .invalidPolicy, "reference values \(name): expected version 1 with values of tee, digests")
    guard let json = try? StrictJSON(parsing: content), json["version"]?.whole == 1,
      let values = json["values"]?.elements
    else { throw fault }
    var measurements: [PlatformMeasurement] = []
    for value in values {
      guard let tee = value["tee"]?.text, let digests = value["digests"] else { throw fault }
      func digest(_ name: String, _ width: Int) -> [UInt8]? {
        digests[name]?.text.flatMap(Hex.decode).flatMap { $0.count == width ? $0 : nil }
      }
      switch tee {
      case "snp":
        guard let measurement = digest("measurement", 48) else { throw fault }
        measurements.append(PlatformMeasurement(measurement))
      case "sev-es", "sev":
        guard let measurement = digest("measurement", 32) else { throw fault }
        measurements.append(
          PlatformMeasurement(measurement, workload: digest("workload", 32)))
      case "sgx":
        guard let measurement = digest("mrenclave", 32) else { throw fault }
        measurements.append(
          PlatformMeasurement(measurement, workload: digest("workload", 32)))
      case "tdx":
        guard let measurement = digest("mrtd", 48) else { throw fault }
        measurements.append(
          PlatformMeasurement(
            measurement,
            runtimeRegisters: (0...3).map { index in
              digest("rtmr\(index)", 48).map { .oneOf([$0]) } ?? .any
            }))
      default: continue
      }
    }
    return measurements
  }
}
