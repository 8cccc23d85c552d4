import ArcaBytes
import Crypto
import CryptoExtras

/// A security processor that no silicon stands behind: it plays a SEV launch from its first command
/// to its last and refuses what hardware refuses (AMD 55766, chapter 6).
package final class SimulatedSEVPlatform {
  /// Why a command was refused, as the specification names it.
  package enum Refusal: String, Error, Sendable {
    case invalidGuestState = "INVALID_GUEST_STATE"
    case invalidCertificate = "INVALID_CERTIFICATE"
    case policyFailure = "POLICY_FAILURE"
    case badMeasurement = "BAD_MEASUREMENT"
    case invalidLength = "INVALID_LEN"
  }

  /// How far a launch has come.
  package enum State: Sendable {
    case uninitialized
    case launching
    case secret
    case running
  }

  /// The version that the platform reports: API major, minor and build.
  package let version: (major: UInt8, minor: UInt8, build: UInt8) = (1, 55, 21)
  package private(set) var state = State.uninitialized
  /// What LAUNCH_SECRET has written into the guest.
  package private(set) var injected: [UInt8] = []
  private let agreement: P384.KeyAgreement.PrivateKey
  private var keys: (encryption: [UInt8], integrity: [UInt8]) = ([], [])
  private var policy: UInt32 = 0
  private var digest = SHA256()
  private var measured: [UInt8] = []

  package convenience init() { self.init(agreement: P384.KeyAgreement.PrivateKey()) }

  private init(agreement: P384.KeyAgreement.PrivateKey) {
    self.agreement = agreement
  }

  /// The same platform for another guest, under the same certificates.
  package func another() -> SimulatedSEVPlatform { SimulatedSEVPlatform(agreement: agreement) }

  /// PDH, PEK, OCA, CEK, ASK and ARK, signed as a platform's are, and the root's SHA-256.
  package func chain() throws -> (bytes: [UInt8], root: [UInt8]) {
    let (pek, oca, cek) = (
      P384.Signing.PrivateKey(), P384.Signing.PrivateKey(), P384.Signing.PrivateKey()
    )
    let (ask, ark) = (
      try _RSA.Signing.PrivateKey(keySize: .bits2048),
      try _RSA.Signing.PrivateKey(keySize: .bits2048)
    )
    typealias Algorithm = SEVCertificate.Algorithm
    func body(_ usage: SEVCertificate.Usage, _ algorithm: UInt32, _ key: [UInt8]) -> [UInt8] {
      var writer = ByteWriter()
      writer.u32(1)
      writer.append([version.major, version.minor, 0, 0])
      writer.u32(usage.rawValue)
      writer.u32(algorithm)
      writer.append(key)
      return writer.bytes
    }
    func signature(
      _ usage: SEVCertificate.Usage, _ key: P384.Signing.PrivateKey, _ body: [UInt8]
    ) throws -> [UInt8] {
      var writer = ByteWriter()
      writer.u32(usage.rawValue)
      writer.u32(Algorithm.ecdsaSHA256)
      writer.append(SecureProcessorKey.signature(try key.signature(for: SHA256.hash(data: body))))
      return writer.bytes
    }
    let none = SEVSession.littleEndian(0x1000) + [UInt8](repeating: 0, count: 516)
    let pdhBody = body(
      .pdh, Algorithm.ecdhSHA256, SecureProcessorKey.encode(agreement.publicKey))
    let pekBody = body(.pek, Algorithm.ecdsaSHA256, SecureProcessorKey.encode(pek.publicKey))
    let ocaBody = body(.oca, Algorithm.ecdsaSHA256, SecureProcessorKey.encode(oca.publicKey))
    let cekBody = body(.cek, Algorithm.ecdsaSHA256, SecureProcessorKey.encode(cek.publicKey))
    let cekSignature =
      SEVSession.littleEndian(SEVAuthority.Usage.ask.rawValue)
      + SEVSession.littleEndian(Algorithm.rsaSHA256)
      + (try Self.sign(cekBody, ask)) + [UInt8](repeating: 0, count: 256)
    let arkBytes = try Self.authority(.ark, ark, id: 1, issuer: (ark, 1))
    let parts = [
      pdhBody, try signature(.pek, pek, pdhBody), none,
      pekBody, try signature(.oca, oca, pekBody), try signature(.cek, cek, pekBody),
      ocaBody, try signature(.oca, oca, ocaBody), none,
      cekBody, cekSignature, none,
      try Self.authority(.ask, ask, id: 2, issuer: (ark, 1)), arkBytes,
    ]
    return (Array(parts.joined()), Array(SHA256.hash(data: arkBytes)))
  }

  private static func sign(_ body: [UInt8], _ key: _RSA.Signing.PrivateKey) throws -> [UInt8] {
    try key.signature(for: SHA256.hash(data: body), padding: .PSS).rawRepresentation.reversed()
  }

  private static func authority(
    _ usage: SEVAuthority.Usage, _ key: _RSA.Signing.PrivateKey, id: UInt8,
    issuer: (key: _RSA.Signing.PrivateKey, id: UInt8)
  ) throws -> [UInt8] {
    let numbers = try key.publicKey.getKeyPrimitives()
    var writer = ByteWriter()
    writer.u32(1)
    writer.append([UInt8](repeating: id, count: 16))
    writer.append([UInt8](repeating: issuer.id, count: 16))
    writer.u32(usage.rawValue)
    writer.zeros(16)
    writer.u32(2048)
    writer.u32(2048)
    for number in [numbers.publicExponent, numbers.modulus] {
      let digits = Array(number.drop { $0 == 0 }.reversed())
      writer.append(digits + [UInt8](repeating: 0, count: 256 - digits.count))
    }
    return writer.bytes + (try sign(writer.bytes, issuer.key))
  }

  /// LAUNCH_START: takes the owner's certificate and session for a guest under `policy`.
  package func start(policy: UInt32, certificate: [UInt8], session: [UInt8]) throws(Refusal) {
    guard state == .uninitialized else { throw .invalidGuestState }
    guard session.count == 128 else { throw .invalidLength }
    guard let owner = try? SEVCertificate(certificate), owner.usage == .pdh,
      let point = try? owner.agreementKey(),
      let secret = try? agreement.sharedSecretFromKeyAgreement(with: point)
    else { throw .invalidCertificate }
    let shared = SEVSession.bytes(of: secret)
    let wrapping = SEVSession.wrappingKeys(shared: shared, nonce: Array(session[..<16]))
    let wrapped = Array(session[16..<48])
    guard SEVSession.code(wrapped, key: wrapping.integrity) == Array(session[64..<96]),
      let plain = try? SEVSession.counterMode(
        wrapped, key: wrapping.encryption, vector: Array(session[48..<64]))
    else { throw .badMeasurement }
    let integrity = Array(plain[16...])
    guard SEVSession.code(SEVSession.littleEndian(policy), key: integrity) == Array(session[96...])
    else { throw .policyFailure }
    keys = (Array(plain[..<16]), integrity)
    self.policy = policy
    digest = SHA256()
    state = .launching
  }

  /// LAUNCH_UPDATE_DATA and LAUNCH_UPDATE_VMSA: measures `content`.
  package func update(_ content: [UInt8]) throws(Refusal) {
    guard state == .launching else { throw .invalidGuestState }
    digest.update(data: content)
  }

  /// LAUNCH_MEASURE: the measurement and nonce, 48 bytes.
  package func measure() throws(Refusal) -> [UInt8] {
    guard state == .launching else { throw .invalidGuestState }
    let nonce = (0..<16).map { _ in UInt8.random(in: 0...255) }
    let head: [UInt8] = [4, version.major, version.minor, version.build]
    measured = SEVSession.code(
      head + SEVSession.littleEndian(policy) + Array(digest.finalize()) + nonce,
      key: keys.integrity)
    state = .secret
    return measured + nonce
  }

  /// LAUNCH_SECRET: writes the owner's secret into the guest.
  package func secret(header: [UInt8], ciphertext: [UInt8]) throws(Refusal) {
    guard state == .secret else { throw .invalidGuestState }
    guard header.count == 52, ciphertext.count % 16 == 0 else { throw .invalidLength }
    let flags = (0..<4).reduce(UInt32(0)) { $0 | UInt32(header[$1]) << (8 * $1) }
    let vector = Array(header[4..<20])
    let code = SEVSession.secretCode(
      flags: flags, vector: vector, byteCount: ciphertext.count, ciphertext: ciphertext,
      measurement: measured, key: keys.integrity)
    guard code == Array(header[20...]),
      let plain = try? SEVSession.counterMode(ciphertext, key: keys.encryption, vector: vector)
    else { throw .badMeasurement }
    injected = plain
  }

  /// LAUNCH_FINISH: the guest runs.
  package func finish() throws(Refusal) {
    guard state == .secret else { throw .invalidGuestState }
    state = .running
  }
}
