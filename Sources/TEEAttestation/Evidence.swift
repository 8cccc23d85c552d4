import TEEEvidence

/// The kinds of TEE whose evidence can be verified.
public enum TEEKind: String, Sendable, CaseIterable {
  /// AMD SEV-SNP.
  case snp
  /// Intel TDX.
  case tdx
  /// Intel SGX.
  case sgx
  /// AMD SEV-ES.
  case sevES = "sev-es"
  /// AMD SEV.
  case sev

  /// Whether the platform measures a launch and gives no evidence inside: what is judged is
  /// ``SEVLaunchEvidence``, whose ``Claims/reportData`` is empty.
  public var isMeasuredAtLaunch: Bool { self == .sevES || self == .sev }
}

/// Evidence as it was received; nothing about it has been checked.
public struct Evidence: Sendable {
  /// No report or quote is larger, in bytes.
  public static let bytesMax = 1 << 20

  /// The kind of TEE that the bytes are read as.
  public let kind: TEEKind
  /// The SNP report (1184 bytes), the quote, or ``SEVLaunchEvidence`` in bytes.
  public let document: [UInt8]
  /// The SNP certificate table that came with the report (GHCB 56421, section 4.1.8.1), or empty.
  public let certificateTable: [UInt8]

  /// Evidence of a known kind.
  public init(kind: TEEKind, document: [UInt8], certificateTable: [UInt8] = []) {
    self.kind = kind
    self.document = document
    self.certificateTable = certificateTable
  }

  /// Evidence whose kind its first bytes tell, or nil where they tell none.
  ///
  /// An SNP report starts with its version as 32 bits; a quote has the key type 2 in the upper half
  /// of those and, from version 4 on, the TEE type after it. What follows an SNP report is taken as
  /// its certificate table, as an extended report has it, unless a table is given.
  public init?(detecting document: [UInt8], certificateTable: [UInt8] = []) {
    guard document.count >= 48 else { return nil }
    let first = document[0..<8]
    if first.starts(with: [3, 0, 2, 0]) {
      kind = .sgx
    } else if first.starts(with: [4, 0, 2, 0]) || first.starts(with: [5, 0, 2, 0]) {
      kind = document[4] == 0x81 ? .tdx : .sgx
    } else if first.dropFirst().starts(with: [0, 0, 0]) {
      kind = .snp
    } else {
      return nil
    }
    let isExtended =
      kind == .snp && certificateTable.isEmpty && document.count > SNPReport.byteCount
    self.document = isExtended ? Array(document.prefix(SNPReport.byteCount)) : document
    self.certificateTable =
      isExtended ? Array(document.dropFirst(SNPReport.byteCount)) : certificateTable
  }
}

/// What vouches for evidence, as it was received; the verifier checks every part of it.
public struct Endorsements: Sendable, Equatable {
  /// AMD's part, for SNP.
  public var amd: AMDEndorsements
  /// Intel's part, for TDX and SGX.
  public var intel: IntelEndorsements
  /// The owner's part, for SEV-ES and SEV: the session that the launch was measured in.
  public var session: SEVSession?

  /// Endorsements of either vendor; what evidence itself brings need not be given.
  public init(
    amd: AMDEndorsements = .init(), intel: IntelEndorsements = .init(), session: SEVSession? = nil
  ) {
    self.amd = amd
    self.intel = intel
    self.session = session
  }
}

/// What AMD's key distribution service serves (AMD 57230), each part absent unless given.
public struct AMDEndorsements: Sendable, Equatable {
  /// VCEK or VLEK, ASK or ASVK, ARK: DER, in any order.
  public var certificates: [[UInt8]]
  /// The product line's revocation list, DER or PEM.
  public var revocationList: [UInt8]?

  /// Gathers endorsements.
  public init(certificates: [[UInt8]] = [], revocationList: [UInt8]? = nil) {
    self.certificates = certificates
    self.revocationList = revocationList
  }
}

/// What Intel's provisioning certification service serves, each part absent unless given.
public struct IntelEndorsements: Sendable, Equatable {
  /// TCB info with its signature, exactly as served: `{"tcbInfo":…,"signature":…}`.
  public var tcbInfo: [UInt8]?
  /// PEM chain of the certificate that signed the TCB info.
  public var tcbInfoChain: [UInt8]?
  /// QE or TD-QE identity with its signature, exactly as served.
  public var qeIdentity: [UInt8]?
  /// PEM chain of the certificate that signed the identity.
  public var qeIdentityChain: [UInt8]?
  /// The root's revocation list, DER or PEM.
  public var rootRevocationList: [UInt8]?
  /// The PCK issuer's revocation list, DER or PEM.
  public var pckRevocationList: [UInt8]?
  /// PEM chain of the authority that signed ``pckRevocationList``.
  public var pckRevocationListChain: [UInt8]?
  /// PEM chain of the PCK certificate, for quotes that do not carry it.
  public var pckChain: [UInt8]?

  /// Gathers endorsements.
  public init(
    tcbInfo: [UInt8]? = nil, tcbInfoChain: [UInt8]? = nil, qeIdentity: [UInt8]? = nil,
    qeIdentityChain: [UInt8]? = nil, rootRevocationList: [UInt8]? = nil,
    pckRevocationList: [UInt8]? = nil, pckRevocationListChain: [UInt8]? = nil,
    pckChain: [UInt8]? = nil
  ) {
    self.tcbInfo = tcbInfo
    self.tcbInfoChain = tcbInfoChain
    self.qeIdentity = qeIdentity
    self.qeIdentityChain = qeIdentityChain
    self.rootRevocationList = rootRevocationList
    self.pckRevocationList = pckRevocationList
    self.pckRevocationListChain = pckRevocationListChain
    self.pckChain = pckChain
  }
}

/// Evidence whose signatures, chain, bindings and times hold; not yet judged by a policy.
public struct VerifiedEvidence: Sendable {
  /// What the evidence states.
  public let claims: Claims
  /// The platform's TCB status where the vendor issues one.
  public let tcbStatus: TCBStatus?
  /// Identifiers of the vendor's advisories that apply, sorted.
  public let advisories: [String]
  /// Whether the chain ends in a simulated vendor's root.
  public let simulated: Bool

  init(claims: Claims, tcbStatus: TCBStatus?, advisories: [String], simulated: Bool) {
    self.claims = claims
    self.tcbStatus = tcbStatus
    self.advisories = advisories
    self.simulated = simulated
  }
}

/// Verified evidence that a policy accepted: the only thing that a secret may be released for.
public struct AppraisedEvidence: Sendable {
  /// The evidence.
  public let verified: VerifiedEvidence

  init(verified: VerifiedEvidence) {
    self.verified = verified
  }
}
