import ArcaBytes
import Crypto
import CryptoExtras
import TEEEvidence

/// What a guest's owner shares with a SEV or SEV-ES platform for one launch: two keys that the host
/// never sees (AMD 55766, chapter 2 and LAUNCH_START).
///
/// The owner makes it against a platform's verified chain, hands ``certificate`` and ``blob`` to
/// the host, compares the launch's measurement, and only then gives out a
/// ``secret(_:measurement:)``.
public struct SEVSession: Sendable, Equatable {
  static let masterLabel = "sev-master-secret"
  static let encryptionLabel = "sev-kek"
  static let integrityLabel = "sev-kik"

  /// The transport encryption key, 16 bytes; secret.
  public let encryptionKey: [UInt8]
  /// The transport integrity key, 16 bytes; secret.
  public let integrityKey: [UInt8]
  /// The guest policy that the session is bound to.
  public let policy: UInt32
  /// The owner's half of the agreement, 2,084 bytes: QEMU's `dh-cert-file`, decoded.
  public let certificate: [UInt8]
  /// Nonce, wrapped keys, initialisation vector and their authentication codes, 128 bytes: QEMU's
  /// `session-file`, decoded.
  public let blob: [UInt8]

  /// Agrees on keys with the platform of `chain` for guests under `policy`.
  public init(with chain: SEVChain, policy: UInt32) throws(AttestationError) {
    try self.init(with: chain.agreement, policy: policy)
  }

  init(with platform: SEVCertificate, policy: UInt32) throws(AttestationError) {
    let own = P384.KeyAgreement.PrivateKey()
    let shared: [UInt8]
    do {
      let secret = try own.sharedSecretFromKeyAgreement(with: try platform.agreementKey())
      shared = Self.bytes(of: secret)
    } catch {
      throw AttestationError(.invalidKey, "SEV session: no agreement with the platform: \(error)")
    }
    try self.init(
      shared: shared, certificate: SEVCertificate(agreement: own.publicKey).bytes, policy: policy,
      encryptionKey: Self.random(16), integrityKey: Self.random(16), nonce: Self.random(16),
      vector: Self.random(16))
  }

  /// A session of these values; only tests choose them.
  package init(
    shared: [UInt8], certificate: [UInt8], policy: UInt32, encryptionKey: [UInt8],
    integrityKey: [UInt8], nonce: [UInt8], vector: [UInt8]
  ) throws(AttestationError) {
    let keys = Self.wrappingKeys(shared: shared, nonce: nonce)
    let wrapped = try Self.counterMode(
      encryptionKey + integrityKey, key: keys.encryption, vector: vector)
    self.encryptionKey = encryptionKey
    self.integrityKey = integrityKey
    self.policy = policy
    self.certificate = certificate
    let policyCode = Self.code(Self.littleEndian(policy), key: integrityKey)
    blob = nonce + wrapped + vector + Self.code(wrapped, key: keys.integrity) + policyCode
  }

  /// A session that was stored: its keys and policy; what was for the host is not needed again.
  public init(
    encryptionKey: [UInt8], integrityKey: [UInt8], policy: UInt32
  ) throws(AttestationError) {
    guard encryptionKey.count == 16, integrityKey.count == 16 else {
      throw AttestationError(.invalidKey, "SEV session: expected two keys of 16 bytes")
    }
    self.encryptionKey = encryptionKey
    self.integrityKey = integrityKey
    self.policy = policy
    certificate = []
    blob = []
  }

  /// A secret for the platform to write into the guest: header, 52 bytes, and ciphertext
  /// (AMD 55766, LAUNCH_SECRET).
  ///
  /// - Parameters:
  ///   - content: what is to be written, such as ``SEVSecretTable``; a multiple of 16 bytes.
  ///   - measurement: the launch's measurement, 32 bytes, which the owner has compared.
  /// - Returns: header and ciphertext.
  /// - Throws: `malformed` where a length is wrong.
  public func secret(
    _ content: [UInt8], measurement: [UInt8]
  ) throws(AttestationError) -> (header: [UInt8], ciphertext: [UInt8]) {
    guard !content.isEmpty, content.count % 16 == 0, content.count <= 16384 else {
      throw AttestationError(
        .malformed,
        "SEV secret: \(content.count) bytes, expected a multiple of 16 up to 16384")
    }
    guard measurement.count == 32 else {
      throw AttestationError(.malformed, "SEV secret: expected a measurement of 32 bytes")
    }
    let vector = Self.random(16)
    let ciphertext = try Self.counterMode(content, key: encryptionKey, vector: vector)
    let code = Self.secretCode(
      flags: 0, vector: vector, byteCount: content.count, ciphertext: ciphertext,
      measurement: measurement, key: integrityKey)
    return (Self.littleEndian(0) + vector + code, ciphertext)
  }

  // MARK: - What both ends compute

  /// LAUNCH_MEASURE's value for a launch of `digest` under this session: 32 bytes (AMD 55766,
  /// section 6.5).
  func measurement(ofLaunch digest: [UInt8], api: [UInt8], nonce: [UInt8]) -> [UInt8] {
    Self.code([4] + api + Self.littleEndian(policy) + digest + nonce, key: integrityKey)
  }

  static func secretCode(
    flags: UInt32, vector: [UInt8], byteCount: Int, ciphertext: [UInt8], measurement: [UInt8],
    key: [UInt8]
  ) -> [UInt8] {
    let lengths = littleEndian(UInt32(byteCount)) + littleEndian(UInt32(ciphertext.count))
    return code(
      [1] + littleEndian(flags) + vector + lengths + ciphertext + measurement, key: key)
  }

  /// KEK and KIK from the agreement's shared secret.
  package static func wrappingKeys(
    shared: [UInt8], nonce: [UInt8]
  ) -> (encryption: [UInt8], integrity: [UInt8]) {
    let master = derive(shared, label: masterLabel, context: nonce)
    return (
      derive(master, label: encryptionLabel, context: []),
      derive(master, label: integrityLabel, context: [])
    )
  }

  /// 16 bytes by NIST SP 800-108, section 5.1, with HMAC-SHA-256 and little-endian numbers.
  package static func derive(_ key: [UInt8], label: String, context: [UInt8]) -> [UInt8] {
    let message = littleEndian(1) + Array(label.utf8) + [0] + context + littleEndian(128)
    return Array(code(message, key: key).prefix(16))
  }

  /// HMAC-SHA-256.
  package static func code(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
  }

  /// AES-128 in counter mode, which is its own inverse.
  static func counterMode(
    _ content: [UInt8], key: [UInt8], vector: [UInt8]
  ) throws(AttestationError) -> [UInt8] {
    do {
      let nonce = try AES._CTR.Nonce(nonceBytes: vector)
      return Array(try AES._CTR.encrypt(content, using: SymmetricKey(data: key), nonce: nonce))
    } catch {
      throw AttestationError(.invalidKey, "SEV session: AES-128-CTR: \(error)")
    }
  }

  static func littleEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  private static func random(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }
}

/// The table of secrets that OVMF hands to the kernel, which shows each as a file by its GUID
/// (Linux, `Documentation/security/secrets/coco.rst`).
public enum SEVSecretTable {
  /// OVMF keeps this many bytes for the table (AmdSevX64.fdf, SevLaunchSecret).
  public static let bytesMax = LaunchSecrets.bytesMax

  private static let head: [UInt8] = [
    // 1e74f542-71dd-4d66-963e-ef4287ff173b
    0x42, 0xf5, 0x74, 0x1e, 0xdd, 0x71, 0x66, 0x4d, 0x96, 0x3e, 0xef, 0x42, 0x87, 0xff, 0x17, 0x3b,
  ]

  /// The bytes of a table of `entries`, each a GUID of 16 bytes as it stands in memory and its
  /// content; filled up to a multiple of 16.
  public static func encoded(_ entries: [(guid: [UInt8], content: [UInt8])]) -> [UInt8] {
    var body: [UInt8] = []
    for entry in entries {
      body += entry.guid + SEVSession.littleEndian(UInt32(20 + entry.content.count))
      body += entry.content
    }
    let table = head + SEVSession.littleEndian(UInt32(20 + body.count)) + body
    return table + [UInt8](repeating: 0, count: (16 - table.count % 16) % 16)
  }

  /// The entry that `arca-init` takes a manifest's resources from (``LaunchSecrets``).
  public static func entry(
    ofResources resources: [(path: String, content: [UInt8])]
  ) -> (guid: [UInt8], content: [UInt8]) {
    let map = CBOR.map(resources.map { CBOR.Entry(Array($0.path.utf8), .bytes($0.content)) })
    return (guid(LaunchSecrets.guid) ?? [], map.encoded())
  }

  /// A GUID's 16 bytes as they stand in memory, the first three groups little-endian; nil where
  /// `text` is none.
  public static func guid(_ text: String) -> [UInt8]? {
    let groups = text.lowercased().split(separator: "-", omittingEmptySubsequences: false)
      .map { Hex.decode(String($0)) ?? [] }
    guard groups.map(\.count) == [4, 2, 2, 2, 6] else { return nil }
    return groups.prefix(3).flatMap { $0.reversed() } + groups.dropFirst(3).flatMap { $0 }
  }
}
