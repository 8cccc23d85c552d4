import Crypto
import TEEEvidence

/// A vendor that exists on one machine only and issues what Intel would: root, PCK authority, PCK
/// certificate, TCB info, QE identities and revocation lists in Intel's formats, and quotes, for
/// TEEs that no hardware protects.
///
/// Everything that it issues says so: the organisation in every name is
/// ``SimulatedAMD/organization``, and its root carries the mark that makes a verifier report
/// `simulated` and refuse, unless the policy says `dangerouslyAcceptSimulatedEvidence` and the
/// caller trusts this very root.
public struct SimulatedIntel: Sendable {
  /// Who holds a simulated key.
  package enum Role: String, Sendable, CaseIterable {
    /// The root authority.
    case root
    /// The authority that issues PCK certificates.
    case pckAuthority = "pck-ca"
    /// The platform's provisioning certification key.
    case pck
    /// The signer of TCB info and QE identities.
    case tcbSigning = "tcb-signing"
    /// The quoting enclave's attestation key, which has no certificate.
    case attestation

    /// The serial number of the role's certificate.
    package var serialNumber: [UInt8] { [0x51, UInt8(rawValue.utf8.count)] }
  }

  private let keys: [Role: P256.Signing.PrivateKey]
  private let certificates: [Role: [UInt8]]

  /// Makes new keys and issues certificates that are valid from `time` on for 25 years.
  public static func create(at time: VerificationTime) throws(AttestationError) -> SimulatedIntel {
    try SimulatedIntel(at: time)
  }

  /// As ``create(at:)``; `changing` may alter what a certificate says before it is signed, so that
  /// a test can make one thing wrong.
  package init(
    at time: VerificationTime, platform: SimulatedIntelPlatform = .init(),
    changing: (Role, inout SimulatedCertificate) -> Void = { _, _ in }
  ) throws(AttestationError) {
    var keys: [Role: P256.Signing.PrivateKey] = [:]
    for role in Role.allCases { keys[role] = P256.Signing.PrivateKey() }
    var certificates: [Role: [UInt8]] = [:]
    for role in Role.allCases where role != .attestation {
      guard let key = keys[role], let issuer = keys[role == .pck ? .pckAuthority : .root] else {
        continue
      }
      var certificate = SimulatedIntel.certificate(role, key.publicKey, time, platform)
      changing(role, &certificate)
      certificates[role] = try certificate.signed(by: .intel(issuer))
    }
    self.keys = keys
    self.certificates = certificates
  }

  /// File names and contents to store; those that end in `.key` are secret.
  public var files: [(name: String, content: [UInt8])] {
    Role.allCases.flatMap { role in
      [
        certificates[role].map { ("\(role.rawValue).der", $0) },
        keys[role].map { ("\(role.rawValue).key", Array($0.rawRepresentation)) },
      ].compactMap { $0 }
    }
  }

  /// The vendor that ``files`` described; `content` gives a file's bytes by name, or nil.
  public init(files content: (String) -> [UInt8]?) throws(AttestationError) {
    var keys: [Role: P256.Signing.PrivateKey] = [:]
    var certificates: [Role: [UInt8]] = [:]
    for role in Role.allCases {
      guard let raw = content("\(role.rawValue).key"),
        let key = try? P256.Signing.PrivateKey(rawRepresentation: raw)
      else {
        throw AttestationError(.inputOutput, "simulated vendor: no usable \(role.rawValue).key")
      }
      keys[role] = key
      guard role != .attestation else { continue }
      guard let der = content("\(role.rawValue).der") else {
        throw AttestationError(.inputOutput, "simulated vendor: no file \(role.rawValue).der")
      }
      certificates[role] = try X509Certificate(der: der).der
    }
    self.keys = keys
    self.certificates = certificates
  }

  /// The root in DER; a verifier that is to accept the evidence names it.
  public var root: [UInt8] { certificate(.root) }

  /// The PEM chain of a quote: PCK certificate, PCK authority, root.
  package var pckChain: [UInt8] { pem(.pck, .pckAuthority, .root) }

  /// The PEM chain of TCB info and QE identities: signer, root.
  package var tcbSigningChain: [UInt8] { pem(.tcbSigning, .root) }

  /// The certificate of `role` in DER; empty for the attestation key.
  package func certificate(_ role: Role) -> [UInt8] { certificates[role] ?? [] }

  /// The private key of `role`.
  func key(_ role: Role) throws(AttestationError) -> P256.Signing.PrivateKey {
    guard let key = keys[role] else {
      throw AttestationError(.invalidKey, "simulated vendor: no \(role.rawValue) key")
    }
    return key
  }

  /// The signature of `role` over `message`: r ‖ s, big-endian, 64 bytes.
  package func signature(of role: Role, over message: [UInt8]) throws(AttestationError) -> [UInt8] {
    let key = try key(role)
    do {
      return Array(try key.signature(for: message).rawRepresentation)
    } catch {
      throw AttestationError(.invalidKey, "the simulated vendor's key does not sign: \(error)")
    }
  }

  /// The Name of the certificate with the common name `commonName`.
  package static func name(_ commonName: String) -> [UInt8] {
    DERWriter.name(organization: SimulatedAMD.organization, commonName: commonName)
  }

  private func pem(_ roles: Role...) -> [UInt8] {
    roles.flatMap { Array(PEM.encode(certificate($0), label: "CERTIFICATE").utf8) }
  }

  private static func certificate(
    _ role: Role, _ key: P256.Signing.PublicKey, _ time: VerificationTime,
    _ platform: SimulatedIntelPlatform
  ) -> SimulatedCertificate {
    let root = "Intel SGX Root CA"
    let authority = "Intel SGX PCK Platform CA"
    let subject: String
    let extensions: [X509Extension]
    switch role {
    case .root:
      subject = root
      extensions =
        SimulatedCertificate.authority(pathLength: 1, signsLists: true)
        + [SimulatedCertificate.simulationMark]
    case .pckAuthority:
      subject = authority
      extensions = SimulatedCertificate.authority(pathLength: 0, signsLists: true)
    case .pck:
      subject = "Intel SGX PCK Certificate"
      extensions = [platform.pckExtension]
    case .tcbSigning, .attestation:
      subject = "Intel SGX TCB Signing"
      extensions = []
    }
    return SimulatedCertificate(
      serialNumber: role.serialNumber, issuer: name(role == .pck ? authority : root),
      subject: name(subject), notBefore: time,
      notAfter: VerificationTime(unixSeconds: time.unixSeconds + 25 * 31_556_952),
      publicKeyInfo: Array(key.derRepresentation), extensions: extensions)
  }
}

extension SimulatedSigner {
  /// Signs as Intel does: ECDSA over P-256 with SHA-256.
  package static func intel(_ key: P256.Signing.PrivateKey) -> SimulatedSigner {
    SimulatedSigner(
      algorithm: DERWriter.sequence([
        DERWriter.oid([0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02])
      ])
    ) {
      Array(try key.signature(for: $0).derRepresentation)
    }
  }
}
