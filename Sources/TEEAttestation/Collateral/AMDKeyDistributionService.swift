import ArcaBytes
import TEEEvidence

/// The addresses of AMD's key distribution service (AMD 57230, chapter 4).
public struct AMDKeyDistributionService: Sendable, Hashable {
  /// AMD's own service.
  public static let amd = AMDKeyDistributionService(base: "https://kdsintf.amd.com")

  private static let dailySeconds: Int64 = 86_400
  /// A certificate never changes; the service limits how often it may be asked.
  private static let monthlySeconds: Int64 = 30 * 86_400

  /// Scheme, host and port; no slash at the end.
  public let base: String

  /// A service that speaks AMD's interface.
  public init(base: String) {
    self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
  }

  /// The certificate of one chip's key at one TCB.
  public func vcek(
    _ product: SNPProduct, chipID: [UInt8], tcb: SNPTCBVersion
  ) -> CollateralRequest {
    // Turin chips have an identity of eight bytes, and one more component.
    let chip = Hex.encode(product == .turin ? chipID.prefix(8) : chipID[...])
    let fmc = product == .turin ? "fmcSPL=\(two(tcb.fmc))&" : ""
    let levels =
      "\(fmc)blSPL=\(two(tcb.bootloader))&teeSPL=\(two(tcb.tee))&snpSPL=\(two(tcb.snp))"
      + "&ucodeSPL=\(two(tcb.microcode))"
    return CollateralRequest(
      name: "VCEK", address: "\(base)/vcek/v1/\(product.name)/\(chip)?\(levels)",
      freshSeconds: Self.monthlySeconds)
  }

  /// The PEM chain above `key`: ASK or ASVK, then ARK.
  public func certificateChain(_ product: SNPProduct, _ key: EndorsementKey) -> CollateralRequest {
    CollateralRequest(
      name: "AMD certificate chain",
      address: "\(base)/\(key.rawValue)/v1/\(product.name)/cert_chain",
      freshSeconds: Self.monthlySeconds)
  }

  /// The product line's revocation list in DER.
  public func revocationList(_ product: SNPProduct, _ key: EndorsementKey) -> CollateralRequest {
    CollateralRequest(
      name: "AMD revocation list",
      address: "\(base)/\(key.rawValue)/v1/\(product.name)/crl",
      freshSeconds: Self.dailySeconds)
  }

  /// The two kinds of keys that sign reports.
  public enum EndorsementKey: String, Sendable {
    /// The chip's own key.
    case vcek
    /// The key that AMD gives a cloud provider; its certificate comes from the provider.
    case vlek
  }

  private func two(_ level: UInt8) -> String { level < 10 ? "0\(level)" : "\(level)" }
}
