import ArcaBytes
import TEEEvidence

/// The addresses of Intel's provisioning certification service (PCS API version 4), which a
/// caching service (PCCS) of one's own shares.
public struct IntelCertificationService: Sendable, Hashable {
  /// Intel's own service.
  public static let intel = IntelCertificationService(
    base: "https://api.trustedservices.intel.com",
    rootRevocationList: "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der")

  private static let dailySeconds: Int64 = 86_400

  /// Scheme, host and port; no slash at the end.
  public let base: String
  private let rootAddress: String

  /// A caching service at `base`, such as `https://localhost:8081`.
  public init(cachingServiceAt base: String) {
    let base = base.hasSuffix("/") ? String(base.dropLast()) : base
    self.init(base: base, rootRevocationList: "\(base)/sgx/certification/v4/rootcacrl")
  }

  private init(base: String, rootRevocationList: String) {
    self.base = base
    rootAddress = rootRevocationList
  }

  /// The TCB levels of the platforms with `fmspc` (6 bytes).
  public func tcbInfo(_ kind: TEEKind, fmspc: [UInt8]) -> CollateralRequest {
    request("TCB info", "\(kind.path)/tcb?fmspc=\(Hex.encode(fmspc))")
  }

  /// The identity of the quoting enclave, which for TDX is another one.
  public func qeIdentity(_ kind: TEEKind) -> CollateralRequest {
    request("QE identity", "\(kind.path)/qe/identity")
  }

  /// The revocation list of the PCK authority `authority`.
  public func pckRevocationList(_ authority: Authority) -> CollateralRequest {
    request(
      "PCK revocation list", "sgx/certification/v4/pckcrl?ca=\(authority.rawValue)&encoding=der")
  }

  /// The root's revocation list.
  public func rootRevocationList() -> CollateralRequest {
    CollateralRequest(
      name: "root revocation list", address: rootAddress, freshSeconds: Self.dailySeconds)
  }

  /// The two authorities that issue PCK certificates.
  public enum Authority: String, Sendable, CaseIterable {
    /// Of platforms with several packages.
    case platform
    /// Of single packages.
    case processor

    /// The authority that the issuer's common name in `certificate` names.
    init?(issuerOf certificate: X509Certificate) {
      let issuer = certificate.issuer
      guard
        let authority = Self.allCases.first(where: {
          issuer.contains(Array("Intel SGX PCK \($0.rawValue.capitalizedASCII) CA".utf8))
        })
      else { return nil }
      self = authority
    }
  }

  private func request(_ name: String, _ path: String) -> CollateralRequest {
    CollateralRequest(name: name, address: "\(base)/\(path)", freshSeconds: Self.dailySeconds)
  }
}

extension TEEKind {
  /// Where the service keeps the documents of this kind.
  fileprivate var path: String { "\(self == .tdx ? "tdx" : "sgx")/certification/v4" }
}

extension String {
  fileprivate var capitalizedASCII: String { prefix(1).uppercased() + dropFirst() }
}
