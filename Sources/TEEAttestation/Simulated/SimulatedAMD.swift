import Crypto
import CryptoExtras
import TEEEvidence

/// A vendor that exists on one machine only and issues what AMD would, for guests that no hardware
/// protects: ARK, ASK, VCEK and revocation list in AMD's formats.
///
/// Everything that it issues says so: the organisation in every name is `Arca SIMULATED`, and its
/// root carries the mark that makes a verifier say `simulated` and refuse, unless the policy says
/// `dangerouslyAcceptSimulatedEvidence` and the caller trusts this very root.
public struct SimulatedAMD: Sendable {
  /// The organisation in every name.
  public static let organization = "Arca SIMULATED"

  /// The product line that it pretends to be.
  public let product: SNPProduct
  /// The root in DER; a verifier that is to accept the evidence names it.
  public let ark: [UInt8]
  /// The intermediate authority in DER.
  public let ask: [UInt8]
  /// The chip's certificate in DER.
  public let vcek: [UInt8]
  /// The product line's revocation list in DER.
  public let revocationList: [UInt8]
  /// The root's key.
  package let arkKey: _RSA.Signing.PrivateKey
  /// The intermediate authority's key.
  package let askKey: _RSA.Signing.PrivateKey
  private let vcekKey: P384.Signing.PrivateKey

  /// The chip's private key, 48 bytes big-endian: all that signing reports takes.
  public var vcekPrivateKey: [UInt8] { Array(vcekKey.rawRepresentation) }

  /// Makes new keys and issues certificates that are valid from `time` on, as long as AMD's are:
  /// the authorities for 25 years, VCEK and revocation list for seven.
  ///
  /// Takes seconds, since it looks for RSA primes; store ``files`` and reuse them.
  public static func create(
    product: SNPProduct = .milan, at time: VerificationTime
  ) throws(AttestationError) -> SimulatedAMD {
    do {
      return try SimulatedAMD(
        product: product, arkKey: _RSA.Signing.PrivateKey(keySize: .init(bitCount: 4096)),
        askKey: _RSA.Signing.PrivateKey(keySize: .init(bitCount: 4096)), vcekKey: .init(),
        hardwareID: Self.random(product == .turin ? 8 : 64), at: time)
    } catch let error as AttestationError {
      throw error
    } catch {
      throw AttestationError(.invalidKey, "the simulated vendor's keys: \(error)")
    }
  }

  package init(
    product: SNPProduct, arkKey: _RSA.Signing.PrivateKey, askKey: _RSA.Signing.PrivateKey,
    vcekKey: P384.Signing.PrivateKey, hardwareID: [UInt8], at time: VerificationTime
  ) throws(AttestationError) {
    let issuance = SimulatedIssuance(product: product, time: time)
    let root = SimulatedSigner.amd(arkKey)
    self.product = product
    self.arkKey = arkKey
    self.askKey = askKey
    self.vcekKey = vcekKey
    ark = try issuance.ark(arkKey).signed(by: root)
    ask = try issuance.ask(askKey).signed(by: root)
    vcek = try issuance.vcek(vcekKey.publicKey, hardwareID: hardwareID)
      .signed(by: SimulatedSigner.amd(askKey))
    revocationList = try issuance.list().signed(by: root)
  }

  /// File names and contents to store; those that end in `.key` are secret.
  public var files: [(name: String, content: [UInt8])] {
    [
      ("ark.der", ark), ("ask.der", ask), ("vcek.der", vcek), ("crl.der", revocationList),
      ("ark.key", Array(arkKey.derRepresentation)), ("ask.key", Array(askKey.derRepresentation)),
      ("vcek.key", vcekPrivateKey),
    ]
  }

  /// The vendor that ``files`` described; `content` gives a file's bytes by name, or nil.
  public init(files content: (String) -> [UInt8]?) throws(AttestationError) {
    func file(_ name: String) throws(AttestationError) -> [UInt8] {
      guard let bytes = content(name) else {
        throw AttestationError(.inputOutput, "simulated vendor: no file \(name)")
      }
      return bytes
    }
    ark = try file("ark.der")
    ask = try file("ask.der")
    vcek = try file("vcek.der")
    revocationList = try file("crl.der")
    let keys = (try file("ark.key"), try file("ask.key"), try file("vcek.key"))
    do {
      arkKey = try _RSA.Signing.PrivateKey(derRepresentation: keys.0)
      askKey = try _RSA.Signing.PrivateKey(derRepresentation: keys.1)
      vcekKey = try P384.Signing.PrivateKey(rawRepresentation: keys.2)
    } catch {
      throw AttestationError(.invalidKey, "simulated vendor: a key file: \(error)")
    }
    guard let product = try AMDKeyExtensions(X509Certificate(der: vcek)).product else {
      throw AttestationError(.malformed, "simulated vendor: vcek.der names no product line")
    }
    self.product = product
  }

  /// What a host would hand a guest with an extended report: the chain and the revocation list.
  public var certificateTable: [UInt8] {
    SNPCertificateTable([
      .init(.vcek, vcek), .init(.ask, ask), .init(.ark, ark), .init(.crl, revocationList),
    ]).encoded()
  }

  /// What AMD's key distribution service would serve.
  public var endorsements: AMDEndorsements {
    AMDEndorsements(certificates: [vcek, ask, ark], revocationList: revocationList)
  }

  /// The chip that signs reports.
  public func device() throws(AttestationError) -> SimulatedSNPDevice {
    try SimulatedSNPDevice(vcekPrivateKey: vcekPrivateKey, vcek: vcek)
  }

  private static func random(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255) }
  }
}

extension SimulatedSigner {
  /// Signs as AMD does: RSASSA-PSS with SHA-384 and a salt of 48 bytes.
  package static func amd(_ key: _RSA.Signing.PrivateKey) -> SimulatedSigner {
    SimulatedSigner(algorithm: DERWriter.element(DERReader.Tag.sequence, SignatureAlgorithm.pss)) {
      Array(try key.signature(for: SHA384.hash(data: $0), padding: .PSS).rawRepresentation)
    }
  }
}
