/// Endorsements as named files: what `arca attest collect` writes and `verify` reads, offline.
public struct CollateralBundle: Sendable, Equatable {
  /// The names that a bundle may have.
  public enum File: String, Sendable, CaseIterable {
    /// Intel: TCB info with its signature, as served.
    case tcbInfo = "tcb_info.json"
    /// Intel: PEM chain of the TCB info's signer.
    case tcbInfoChain = "tcb_signing_chain.pem"
    /// Intel: QE identity with its signature, as served.
    case qeIdentity = "qe_identity.json"
    /// Intel: PEM chain of the identity's signer.
    case qeIdentityChain = "qe_identity_chain.pem"
    /// Intel: the root's revocation list.
    case rootRevocationList = "root_ca.crl.der"
    /// Intel: the PCK authority's revocation list.
    case pckRevocationList = "pck.crl.der"
    /// Intel: PEM chain of the PCK authority.
    case pckRevocationListChain = "pck_crl_chain.pem"
    /// Intel: PEM chain of the PCK certificate, where the quote does not carry it.
    case pckChain = "pck_chain.pem"
    /// AMD: the chip's certificate.
    case vcek = "vcek.der"
    /// AMD: the provider's certificate.
    case vlek = "vlek.der"
    /// AMD: the authority above VCEKs.
    case ask = "ask.der"
    /// AMD: the authority above VLEKs.
    case asvk = "asvk.der"
    /// AMD: the product line's root.
    case ark = "ark.der"
    /// AMD: the product line's revocation list.
    case revocationList = "crl.der"
  }

  /// The files' contents.
  public var files: [File: [UInt8]]

  /// A bundle of `files`.
  public init(files: [File: [UInt8]] = [:]) {
    self.files = files
  }

  /// The bundle of Intel's `endorsements`; parts that are absent have no file.
  public init(_ endorsements: IntelEndorsements) {
    let parts: [(File, [UInt8]?)] = [
      (.tcbInfo, endorsements.tcbInfo), (.tcbInfoChain, endorsements.tcbInfoChain),
      (.qeIdentity, endorsements.qeIdentity), (.qeIdentityChain, endorsements.qeIdentityChain),
      (.rootRevocationList, endorsements.rootRevocationList),
      (.pckRevocationList, endorsements.pckRevocationList),
      (.pckRevocationListChain, endorsements.pckRevocationListChain),
      (.pckChain, endorsements.pckChain),
    ]
    files = [:]
    for (file, content) in parts { files[file] = content }
  }

  /// What the files give a verifier; nothing about them has been checked.
  public var endorsements: Endorsements {
    let certificates: [File] = [.vcek, .vlek, .ask, .asvk, .ark]
    return Endorsements(
      amd: AMDEndorsements(
        certificates: certificates.compactMap { files[$0] },
        revocationList: files[.revocationList]),
      intel: IntelEndorsements(
        tcbInfo: files[.tcbInfo], tcbInfoChain: files[.tcbInfoChain],
        qeIdentity: files[.qeIdentity], qeIdentityChain: files[.qeIdentityChain],
        rootRevocationList: files[.rootRevocationList],
        pckRevocationList: files[.pckRevocationList],
        pckRevocationListChain: files[.pckRevocationListChain], pckChain: files[.pckChain]))
  }
}
