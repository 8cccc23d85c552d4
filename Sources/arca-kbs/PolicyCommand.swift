import ArcaKeyBroker
import ArgumentParser
import Foundation
import TEEAttestation

/// `arca-kbs policy`: what is released to whom.
struct PolicyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy", abstract: "Check, install, extend and explain policies.",
    subcommands: [Check.self, Install.self, Allow.self, Explain.self])

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say whether a file is a policy, and what in it is not.")

    @Argument(help: "The policy, YAML.") var file: String

    func run() throws {
      let policy = try ReleasePolicy(stored: try readPolicy(file))
      print("\(file): a policy of \(policy.rules.count) rules")
      for rule in policy.rules where rule.dangerouslyAcceptSimulatedEvidence {
        print("warning: rule \(rule.name) accepts SIMULATED evidence")
      }
    }
  }

  struct Install: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check a policy and put it in force; a running broker follows at once.")

    @OptionGroup var option: FolderOption
    @Argument(help: "The policy, YAML; - for standard input.") var file: String

    func run() async throws {
      let policy = try readPolicy(file)
      try await option.broker().installPolicy(policy, by: FolderOption.localName)
    }
  }

  struct Allow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add a rule: these resources for one workload on one platform.",
      discussion: """
        The identity is what `arca measure --json IMAGE` prints, on standard input:

          arca measure --json IMAGE | arca-kbs policy allow default/app/key
        """)

    @OptionGroup var option: FolderOption
    @Argument(help: "repository/type/tag, or with a trailing * in a part.") var resources: [String]
    @Option(help: "The rule's name, for the audit log (default: of the workload digest).")
    var name: String?
    @Flag(help: "The identity is of a simulated TEE: no hardware protects what is released.")
    var dangerouslyAcceptSimulatedEvidence = false

    func run() async throws {
      let identity = try MeasuredIdentity(json: Array(try readInput("-")))
      guard !identity.isSimulated || dangerouslyAcceptSimulatedEvidence else {
        throw CommandError(
          "the identity is of a simulated TEE, which protects nothing; if that is meant, say "
            + "--dangerously-accept-simulated-evidence")
      }
      let patterns = try resources.map { try ResourcePattern($0) }
      let rule = name ?? "workload-" + identity.workload.prefix(12)
      try await option.broker().allow(patterns, to: identity, as: rule, by: FolderOption.localName)
      print("rule \(rule) releases \(resources.joined(separator: ", ")) to this identity alone")
    }
  }

  struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say which rule would decide about a resource on saved evidence, and why.",
      discussion: """
        The evidence is an attestation as a client sends it to /kbs/v0/attest. The nonce counts as
        fresh. Exits with 1 where the resource would be refused.
        """)

    @OptionGroup var option: FolderOption
    @Argument(help: "repository/type/tag") var path: String
    @Argument(help: "The attestation, JSON; - for standard input.") var evidence: String
    @Option(help: "The kind of TEE: snp, tdx, sgx or sample.") var tee = "snp"
    @Option(help: "Judge at this time, YYYY-MM-DDTHH:MM:SSZ, instead of now.") var at: String?

    func run() async throws {
      guard let kind = AttesterKind(rawValue: tee) else {
        throw ValidationError("--tee \(tee): expected snp, tdx, sgx or sample")
      }
      var time = VerificationTime(unixSeconds: Int64(Date().timeIntervalSince1970))
      if let at {
        guard let moment = VerificationTime(at) else {
          throw ValidationError("--at \(at): expected YYYY-MM-DDTHH:MM:SSZ")
        }
        time = moment
      }
      let decision = try await option.broker().explain(
        path, attestation: Array(try readInput(evidence)), kind: kind, at: time)
      print(decision.text)
      guard let grant = decision.grant else { throw ExitCode(1) }
      if grant.simulated { print("simulated: no hardware stands behind the evidence") }
    }
  }
}

/// The policy in a file, with the reference values beside it that it names; for standard input they
/// are looked for where the command runs.
func readPolicy(_ file: String) throws -> StoredPolicy {
  let yaml = String(decoding: try readInput(file), as: UTF8.self)
  return try StoredPolicy(yaml: yaml, besideFile: file)
}
