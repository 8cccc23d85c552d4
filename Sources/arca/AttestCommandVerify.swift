import ArcaBytes
import ArcaCollateral
import ArgumentParser
import Foundation
import TEEAttestation

extension AttestCommand {
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Judge evidence by its endorsements, a policy and a time.",
      discussion: """
        Without --policy only the vendor's part is judged: signatures, chain, revocation, validity \
        and TCB, no debugger, no simulation. Whoever releases a secret must also demand a platform \
        measurement, a workload digest and report data: give a policy, or the options below.

        Exit status: 0 trusted; 1 not trusted, with every reason; 2 could not be decided, with \
        what is missing.
        """)

    @Argument(help: "The evidence; - for standard input.")
    var file: String

    @Option(help: "A folder that `arca attest collect` wrote.")
    var collateral: String?

    @Option(help: "The SNP certificate table that came with the report.")
    var certificateTable: String?

    @Option(help: "A policy in JSON; every field must be in it.")
    var policy: String?

    @Option(help: "Judge at this time, such as 2026-01-31T12:00:00Z, in place of now.")
    var at: String?

    @Option(
      help: "The nonce that was sent: in a key broker request as text, else as in --report-data.")
    var nonce: String?

    @Option(help: "The report data that is demanded: hexadecimal or Base64, 64 bytes at most.")
    var reportData: String?

    @Option(
      help: "A platform measurement that is accepted, as `arca measure` prints it; repeatable.")
    var measurement: [String] = []

    @Option(help: "A workload digest that is accepted, in hexadecimal; repeatable.")
    var workload: [String] = []

    @Option(help: "Trust this root (DER or PEM) in place of the vendors' own; repeatable.")
    var root: [String] = []

    @Flag(help: "Accept evidence that no hardware made, under a root given by --root.")
    var dangerouslyAcceptSimulatedEvidence = false

    @Flag(help: "Decide without revocation lists where none are given.")
    var dangerouslyAcceptMissingRevocationLists = false

    @Flag(help: "Print the whole verdict as JSON.")
    var json = false

    func run() throws {
      let verdict: Verdict
      do {
        verdict = try judge()
      } catch {
        // An unreadable file must not look like evidence that was judged and refused.
        FileHandle.standardError.write(Data("Error: \(error)\n".utf8))
        throw ExitCode(Decision.undecided.rawValue)
      }
      print(json ? verdict.json.json : verdict.text)
      if !json, !verdict.missing.isEmpty {
        print(
          "To get what is missing: `arca attest collect \(file) --output DIR`, then verify again "
            + "with --collateral DIR.")
      }
      throw ExitCode(verdict.decision.rawValue)
    }

    private func judge() throws -> Verdict {
      let (evidence, request) = try AttestInput(path: file).requireEvidence(file)
      do {
        var endorsements = Endorsements()
        if let collateral {
          endorsements = try CollateralBundle(folder: collateral).endorsements
        }
        let anchors =
          root.isEmpty ? TrustAnchors.vendors : try TrustAnchors(certificates: readRoots())
        let complete = Evidence(
          kind: evidence.kind, document: evidence.document,
          certificateTable: try certificateTable.map(Self.read) ?? evidence.certificateTable)
        return Verifier(anchors: anchors).verdict(
          on: complete, with: endorsements, under: try demanded(request), at: try time())
      } catch let error as AttestationError {
        throw CommandError(error.detail)
      }
    }

    /// The policy of the file, narrowed by the options.
    private func demanded(_ request: KBSAttestation?) throws -> AppraisalPolicy {
      var demanded = AppraisalPolicy.vendorOnly
      if let policy {
        guard let content = FileManager.default.contents(atPath: policy) else {
          throw CommandError("\(policy): cannot be read")
        }
        demanded = try AppraisalPolicy(JSONValue(json: [UInt8](content)))
      }
      if !measurement.isEmpty {
        demanded.platform = .oneOf(
          try measurement.map(Self.platform))
      }
      if !workload.isEmpty {
        demanded.workload = .oneOf(try workload.map { try Self.octets($0, "--workload") })
      }
      if let nonce {
        let bound = try request?.reportData(nonce: nonce)
        demanded.reportData = .oneOf([try bound ?? Self.octets(nonce, "--nonce")])
      }
      if let reportData {
        guard nonce == nil else { throw CommandError("--nonce, --report-data: give one of them") }
        demanded.reportData = .oneOf([try Self.octets(reportData, "--report-data")])
      }
      if dangerouslyAcceptSimulatedEvidence { demanded.dangerouslyAcceptSimulatedEvidence = true }
      if dangerouslyAcceptMissingRevocationLists {
        demanded.dangerouslyAcceptMissingRevocationLists = true
      }
      return demanded
    }

    private func time() throws -> VerificationTime {
      guard let at else { return .now }
      guard let time = VerificationTime(at) else {
        throw CommandError("--at \(at): expected a time in UTC such as 2026-01-31T12:00:00Z")
      }
      return time
    }

    private func readRoots() throws -> [[UInt8]] {
      var roots: [[UInt8]] = []
      for path in root {
        guard case .certificates(let certificates) = try AttestInput(path: path) else {
          throw CommandError("\(path): expected a certificate in DER or PEM")
        }
        roots += certificates.map(\.der)
      }
      return roots
    }

    private static func read(_ path: String) throws -> [UInt8] {
      guard case .certificateTable(let table) = try AttestInput(path: path) else {
        throw CommandError("\(path): expected an SNP certificate table (GHCB, section 4.1.8.1)")
      }
      return table.encoded()
    }

    /// Hexadecimal, for TDX followed by RTMR0 to RTMR3, each of them hexadecimal or `any`; for SGX
    /// MRENCLAVE with the workload digest that it covers.
    private static func platform(_ text: String) throws -> PlatformMeasurement {
      let bound = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      if bound.count == 2 {
        return PlatformMeasurement(
          try octets(bound[0], "--measurement"), workload: try octets(bound[1], "--measurement"))
      }
      let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 1 || parts.count == 5 else {
        throw CommandError(
          "--measurement: found \(parts.count) parts, expected one, or for TDX MRTD and four RTMRs")
      }
      return PlatformMeasurement(
        try octets(parts[0], "--measurement"),
        runtimeRegisters: try parts.dropFirst().map { part in
          part == "any" ? .any : .oneOf([try octets(part, "--measurement")])
        })
    }

    private static func octets(_ text: String, _ option: String) throws -> [UInt8] {
      guard let bytes = AttestInput.textEncoded(Array(text.utf8)), bytes.count <= 64 else {
        throw CommandError(
          "\(option) \(text): expected hexadecimal or Base64 text of 64 bytes at most")
      }
      return bytes
    }
  }
}
