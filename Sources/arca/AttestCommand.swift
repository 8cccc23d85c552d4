import ArcaCollateral
import ArgumentParser
import Foundation
import TEEAttestation

/// `arca attest`: look at evidence, judge it, and gather what judging needs.
struct AttestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attest",
    abstract: "Show and verify attestation evidence, and collect what vouches for it.",
    discussion: """
      Evidence is what a TEE says about itself under a key of its maker: an SEV-SNP report, an SGX
      or TDX quote. `show` prints what a file says and checks nothing. `collect` fetches the
      vendor's endorsements into a folder. `verify` judges evidence by such a folder, a policy and
      a time, and needs no network.

        arca attest collect report.bin --output endorsements
        arca measure --tee snp --firmware OVMF.amdsev.fd --vcpus 2 --cpu-model EPYC-Milan
        arca attest verify report.bin --collateral endorsements --policy policy.json
      """,
    subcommands: [Show.self, Verify.self, Collect.self])
}

extension AttestCommand {
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print what a file says, whatever it is; nothing is checked.",
      discussion: """
        Tells apart SNP reports, SGX and TDX quotes (raw, in hexadecimal or Base64), evidence of \
        the CoCo key broker protocol, TDX event logs, certificates, SNP certificate tables, \
        revocation lists, TCB info, QE identities and SIGSTRUCTs.
        """)

    @Argument(help: "The file; - for standard input.")
    var file: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
      let description = AttestDescription(try AttestInput(path: file))
      print(json ? description.json.json : description.text)
    }
  }

  struct Collect: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Fetch the endorsements that a verdict on evidence needs.",
      discussion: """
        Asks AMD's key distribution service or Intel's provisioning certification service, or \
        others that speak their interfaces, and writes a folder that `arca attest verify \
        --collateral` takes. Answers are kept and used again while they are fresh.
        """)

    @Argument(help: "The evidence; - for standard input.")
    var file: String

    @Option(help: "The folder to write.")
    var output: String

    @Option(help: "Intel's service, or a PCCS such as https://localhost:8081.")
    var pccs: String?

    @Option(help: "AMD's service, or one that speaks its interface.")
    var kds: String?

    @Option(help: "The folder that keeps answers.")
    var cache: String?

    @Flag(help: "Ask again even where an answer is fresh.")
    var noCache = false

    func run() throws {
      let evidence = try AttestInput(path: file).requireEvidence(file).evidence
      let sources = CollateralSources(
        intel: pccs.map { IntelCertificationService(cachingServiceAt: $0) } ?? .intel,
        amd: kds.map { AMDKeyDistributionService(base: $0) } ?? .amd)
      do {
        let bundle = try collect(evidence, sources)
        try bundle.write(to: output)
        for file in bundle.files.keys.map(\.rawValue).sorted() { print("\(output)/\(file)") }
      } catch {
        throw CommandError(error.detail)
      }
    }

    private func collect(
      _ evidence: Evidence, _ sources: CollateralSources
    ) throws(AttestationError) -> CollateralBundle {
      let fetcher = HTTPCollateralFetcher()
      guard !noCache else { return try sources.collect(for: evidence, through: fetcher) }
      let cached = CachedCollateralFetcher(
        fetcher, folder: cache ?? Self.defaultCache, now: VerificationTime.now)
      return try sources.collect(for: evidence, through: cached)
    }

    /// Where the XDG base directory specification puts caches.
    private static var defaultCache: String {
      let environment = ProcessInfo.processInfo.environment
      let base = environment["XDG_CACHE_HOME"] ?? "\(environment["HOME"] ?? "/root")/.cache"
      return "\(base)/arca/collateral"
    }
  }
}

extension VerificationTime {
  /// What this machine's clock says.
  static var now: VerificationTime {
    VerificationTime(unixSeconds: Int64(Date().timeIntervalSince1970))
  }
}

extension AttestInput {
  /// The evidence in a file, and the request that it came in where there is one.
  func requireEvidence(_ path: String) throws -> (evidence: Evidence, request: KBSAttestation?) {
    guard case .evidence(let evidence, let request) = self else {
      throw CommandError(
        "\(path): found \(AttestDescription(self).kind), expected an SNP report or a quote")
    }
    return (evidence, request)
  }
}
