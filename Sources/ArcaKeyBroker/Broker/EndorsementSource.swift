import ArcaBytes
import ArcaCollateral
import Dispatch
import Synchronization
import TEEAttestation
import TEEEvidence

/// Where the broker has the vendors' endorsements from that evidence does not bring itself.
public protocol EndorsementSource: Sendable {
  /// What is known for the platform that `evidence` comes from; empty parts where nothing is.
  func endorsements(for evidence: Evidence) async -> Endorsements

  /// Fetches anew what has become stale.
  func refresh() async
}

/// Endorsements from a folder and, where services are named, from those, cached in the folder.
///
///     snp-milan/ snp-genoa/ snp-turin/ tdx/ sgx/   bundles, as `arca attest collect` writes them
///     cache/                                       what services answered
///
/// What cannot be had is left out, and the verifier refuses for want of it.
public final class BrokerCollateral: EndorsementSource {
  /// Platforms whose documents are refreshed in the background, at most.
  public static let platformsMax = 4096
  /// How long what a folder held is taken without another look at it, in seconds.
  public static let folderSeconds: Int64 = 5

  private let folder: String
  private let sources: CollateralSources?
  private let clock: @Sendable () -> Int64
  private let report: @Sendable (AttestationError) -> Void
  private let seen = Mutex<[String: Evidence]>([:])
  private let read = Mutex<[String: (bundle: CollateralBundle, time: Int64)]>([:])
  private let queue = DispatchQueue(label: "collateral", attributes: .concurrent)

  /// Endorsements below `folder`, and from `sources` where those are given; `report` is told of
  /// every document that could not be had.
  public init(
    folder: String, sources: CollateralSources?, clock: @escaping @Sendable () -> Int64,
    report: @escaping @Sendable (AttestationError) -> Void
  ) {
    self.folder = folder
    self.sources = sources
    self.clock = clock
    self.report = report
  }

  /// What the folder and the services have for the platform that `evidence` comes from.
  public func endorsements(for evidence: Evidence) async -> Endorsements {
    let platform = Self.platform(of: evidence)
    var bundle = bundle(platform.folder)
    // A folder serves a product line; the chip's own certificate is the evidence's to bring.
    if !evidence.certificateTable.isEmpty {
      bundle.files[.vcek] = nil
      bundle.files[.vlek] = nil
    }
    if let sources {
      seen.withLock { if $0.count < Self.platformsMax { $0[platform.name] = evidence } }
      if let fetched = await fetch(evidence, sources) {
        bundle.files.merge(fetched.files) { $1 }
      }
    }
    return bundle.endorsements
  }

  private func bundle(_ name: String) -> CollateralBundle {
    let now = clock()
    if let known = read.withLock({ $0[name] }),
      (0..<Self.folderSeconds).contains(now - known.time)
    {
      return known.bundle
    }
    let bundle = (try? CollateralBundle(folder: "\(folder)/\(name)")) ?? .init()
    read.withLock { $0[name] = (bundle, now) }
    return bundle
  }

  /// Fetches anew what has become stale for the platforms seen; to be called now and then.
  public func refresh() async {
    guard let sources else { return }
    for evidence in seen.withLock({ Array($0.values) }) { _ = await fetch(evidence, sources) }
  }

  // The fetcher waits for its answers, so it must not hold a thread of the cooperative pool.
  private func fetch(_ evidence: Evidence, _ sources: CollateralSources) async -> CollateralBundle?
  {
    let (cache, now) = ("\(folder)/cache", VerificationTime(unixSeconds: clock()))
    return await withCheckedContinuation { continuation in
      queue.async { [report] in
        let fetcher = CachedCollateralFetcher(HTTPCollateralFetcher(), folder: cache, now: now)
        do throws(AttestationError) {
          continuation.resume(returning: try sources.collect(for: evidence, through: fetcher))
        } catch {
          report(error)
          continuation.resume(returning: nil)
        }
      }
    }
  }

  private static func platform(of evidence: Evidence) -> (folder: String, name: String) {
    guard evidence.kind == .snp, let report = try? SNPReport(evidence.document),
      let product = SNPProduct(family: report.cpuid.family, model: report.cpuid.model)
    else { return (evidence.kind.rawValue, evidence.kind.rawValue) }
    return ("snp-\(product)", "snp-\(Hex.encode(report.chipID + report.reportedTCB))")
  }
}
