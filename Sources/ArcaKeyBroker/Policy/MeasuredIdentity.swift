import ArcaBytes

/// What `arca measure --json` says of an image on a platform: an identity that a rule can name.
public struct MeasuredIdentity: Sendable {
  /// Whether the TEE is a simulated one.
  public let isSimulated: Bool
  /// The workload digest in hexadecimal.
  public let workload: String
  private let tee: String
  /// The platform as a policy writes it.
  private let platform: String

  /// Reads the JSON object that `arca measure --json` prints.
  public init(json: [UInt8]) throws(KeyBrokerError) {
    guard let object = try? StrictJSON(parsing: json), let tee = object["tee"]?.text,
      let workload = object["workloadDigest"]?.text, Hex.decode(workload)?.count == 32,
      let measurement = object["platformMeasurement"]?.text
    else {
      throw KeyBrokerError(.invalidPolicy, "identity: expected what arca measure --json prints")
    }
    isSimulated = tee.hasPrefix("sim-")
    self.tee = isSimulated ? String(tee.dropFirst("sim-".count)) : tee
    self.workload = workload
    let words = measurement.split(whereSeparator: { ",:".contains($0) }).map(String.init)
    guard let kind = AttesterKind(rawValue: self.tee),
      words.allSatisfy({ $0 == "any" || Hex.decode($0) != nil })
    else {
      throw KeyBrokerError(
        .invalidPolicy,
        "identity: found tee \(tee) with measurement \(measurement.prefix(200)), "
          + "expected a kind that policies know, and digests in hexadecimal")
    }
    // As `arca measure` prints them: an enclave's workload behind a colon, registers behind commas.
    if measurement.contains(":"), words.count == 2 {
      platform = "{measurement: \(words[0]), workload: \(words[1])}"
    } else if kind.isMeasuredAtLaunch {
      // The launch digest covers the command line, which names the workload.
      platform = "{measurement: \(measurement), workload: \(workload)}"
    } else if words.count > 1 {
      platform = "{measurement: \(words[0]), rtmrs: [\(words[1...].joined(separator: ", "))]}"
    } else {
      platform = "{measurement: \(measurement)}"
    }
  }

  /// A rule that releases `resources` to this identity alone, in YAML; `indentation` stands before
  /// each line.
  func rule(_ name: String, for resources: [ResourcePattern], indentation: String) -> String {
    let patterns = resources.map { "'\($0.text)'" }.joined(separator: ", ")
    let lines =
      [
        "- name: '\(name)'", "  resources: [\(patterns)]", "  tees: [\(tee)]",
        "  platforms: [\(platform)]", "  workloads: [\(workload)]",
      ] + (isSimulated ? ["  dangerouslyAcceptSimulatedEvidence: true"] : [])
    return lines.map { indentation + $0 + "\n" }.joined()
  }
}

extension StoredPolicy {
  /// This policy with a rule behind the others that releases `resources` to `identity`.
  ///
  /// What is there stays as it was written, comments too; a text whose last member is not a list
  /// `rules`, each on lines of its own, is refused.
  public func allowing(
    _ resources: [ResourcePattern], to identity: MeasuredIdentity, as name: String
  ) throws(KeyBrokerError) -> StoredPolicy {
    let rules = try ReleasePolicy(stored: self).rules
    guard !rules.contains(where: { $0.name == name }) else {
      throw KeyBrokerError(.invalidPolicy, "policy.rules: there is one of the name \(name) already")
    }
    guard !name.isEmpty,
      name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") })
    else { throw KeyBrokerError(.invalidPolicy, "name \(name): expected letters, digits and '-'") }
    let (yaml, files) = try contents()
    var lines = yaml.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    while lines.last?.allSatisfy(\.isWhitespace) == true { lines.removeLast() }
    if let empty = lines.firstIndex(of: "rules: []") { lines[empty] = "rules:" }
    let start = lines.firstIndex(of: "rules:").map { lines[($0 + 1)...] } ?? []
    let first = start.first { $0.drop { $0 == " " }.hasPrefix("- ") } ?? "  - "
    let text =
      lines.joined(separator: "\n") + "\n"
      + identity.rule(name, for: resources, indentation: String(first.prefix { $0 == " " }))
    guard let longer = try? StoredPolicy(yaml: text, referenceValues: { files[$0] }),
      let found = try? ReleasePolicy(stored: longer).rules, found.count == rules.count + 1,
      found.last?.name == name
    else {
      throw KeyBrokerError(
        .invalidPolicy,
        "policy: no rule can be put behind its last line; write it into the file, and install that")
    }
    return longer
  }
}
