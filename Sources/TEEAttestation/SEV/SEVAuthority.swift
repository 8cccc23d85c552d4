import ArcaBytes
import Crypto
import CryptoExtras

/// A certificate of AMD's own in the format of SEV: ARK or ASK (AMD 55766, appendix C.2).
public struct SEVAuthority: Sendable {
  /// What the key is for.
  public enum Usage: UInt32, Sendable {
    /// AMD's root.
    case ark = 0x00
    /// AMD's authority for chips.
    case ask = 0x13
  }

  private static let headBytes = 64

  /// All of its bytes.
  public let bytes: [UInt8]
  /// What the key is for.
  public let usage: Usage
  /// The key's identifier, 16 bytes.
  let keyID: [UInt8]
  /// The identifier of the key that signed it, 16 bytes.
  let issuerID: [UInt8]
  let modulusBytes: Int
  private let key: _RSA.Signing.PublicKey

  /// Reads the certificate that `bytes` start with.
  public init(prefixOf bytes: ArraySlice<UInt8>) throws(AttestationError) {
    let all = Array(bytes)
    guard all.count >= Self.headBytes else {
      throw AttestationError(.malformed, "AMD's SEV certificate: cut short")
    }
    func u32(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(all[at + $1]) << (8 * $1) } }
    guard u32(0) == 1, let usage = Usage(rawValue: u32(36)) else {
      throw AttestationError(.malformed, "AMD's SEV certificate: unknown version or key usage")
    }
    guard u32(56) == u32(60), [2048, 4096].contains(u32(60)) else {
      throw AttestationError(
        .unsupportedAlgorithm, "AMD's SEV certificate: RSA of \(u32(60)) bits, expected 2048, 4096")
    }
    let size = Int(u32(60) / 8)
    guard all.count >= Self.headBytes + 3 * size else {
      throw AttestationError(.malformed, "AMD's SEV certificate: cut short")
    }
    self.bytes = Array(all.prefix(Self.headBytes + 3 * size))
    self.usage = usage
    keyID = Array(all[4..<20])
    issuerID = Array(all[20..<36])
    modulusBytes = size
    let exponent = all[64..<64 + size].reversed().drop { $0 == 0 }
    let modulus = all[64 + size..<64 + 2 * size].reversed()
    do {
      key = try _RSA.Signing.PublicKey(n: Array(modulus), e: Array(exponent))
    } catch {
      throw AttestationError(.invalidKey, "AMD's SEV certificate: not an RSA key: \(error)")
    }
  }

  /// Whether this authority signed `other`.
  func signed(_ other: SEVAuthority) -> Bool {
    other.issuerID == keyID
      && isValid(
        other.bytes.suffix(other.modulusBytes), over: other.bytes.dropLast(other.modulusBytes))
  }

  /// Whether this authority signed the chip's certificate.
  func signed(_ certificate: SEVCertificate) -> Bool {
    let algorithm =
      modulusBytes == 512
      ? SEVCertificate.Algorithm.rsaSHA384 : SEVCertificate.Algorithm.rsaSHA256
    return certificate.signatures.contains { item in
      item.usage == usage.rawValue && item.algorithm == algorithm
        && isValid(item.bytes.prefix(modulusBytes), over: certificate.body)
    }
  }

  /// RSASSA-PSS with SHA-256 for 2,048 bits and SHA-384 for 4,096; little-endian.
  private func isValid(_ signature: ArraySlice<UInt8>, over message: ArraySlice<UInt8>) -> Bool {
    let signature = _RSA.Signing.RSASignature(rawRepresentation: Array(signature.reversed()))
    return modulusBytes == 512
      ? key.isValidSignature(signature, for: SHA384.hash(data: message), padding: .PSS)
      : key.isValidSignature(signature, for: SHA256.hash(data: message), padding: .PSS)
  }
}

/// The chain of a SEV platform, from the key that an owner agrees with up to AMD's root.
public struct SEVChain: Sendable {
  /// SHA-256 of AMD's root certificates for SEV, by product line.
  public static let roots: [(product: String, sha256: [UInt8])] = [
    ("Naples", "dedabca561e1dece8cc00b7bda864cf5f20b95017864408cfe18eaee0dce24b9"),
    ("Rome", "865977b268c16d5b27772b00aaefb4e737ba9499e818ed8e9f65b0cecefbc529"),
    ("Milan", "1246469862b78a7a8625579b0378d1f8e975eb8b82a1623b579d7968a5969888"),
    ("Genoa", "8f4e3fd36589c23f1fe0c8338465bac7e2e066d97fc92f228bbee4fd356fb674"),
    ("Turin", "f6405e5096a6eee1eb7d5df75c49f9b9f7c8357a31c7fff150149d68588a7bf7"),
  ].map { ($0.0, Hex.decode($0.1) ?? []) }

  /// The platform's key for agreements, vouched for by all above it.
  public let agreement: SEVCertificate
  /// The product line whose root the chain ends in.
  public let product: String
  /// The chip: SHA-256 of its endorsement key's certificate without signatures, 32 bytes.
  public let chip: [UInt8]
  /// Whether the root is none of AMD's, but one that the caller trusts.
  public let isSimulated: Bool

  /// Reads and verifies PDH, PEK, OCA, CEK, ASK and ARK, one after the other, as `sevctl export
  /// --full` writes them.
  ///
  /// `roots` are the roots that are trusted; a caller who gives others than AMD's trusts those.
  /// Throws `malformed` where one is not what its place demands, and `invalidKey` where a signature
  /// does not hold.
  public init(
    _ bytes: [UInt8], roots: [(product: String, sha256: [UInt8])] = SEVChain.roots
  ) throws(AttestationError) {
    let size = SEVCertificate.byteCount
    guard bytes.count > 4 * size else {
      throw AttestationError(
        .malformed,
        "SEV chain: \(bytes.count) bytes; expected PDH, PEK, OCA, CEK, ASK and ARK: "
          + "`sevctl export --full FILE`")
    }
    var certificates: [SEVCertificate] = []
    for (index, usage) in [SEVCertificate.Usage.pdh, .pek, .oca, .cek].enumerated() {
      let certificate = try SEVCertificate(Array(bytes[index * size..<(index + 1) * size]))
      guard certificate.usage == usage else {
        throw AttestationError(
          .malformed, "SEV chain: found \(certificate.usage), expected \(usage)")
      }
      certificates.append(certificate)
    }
    let ask = try SEVAuthority(prefixOf: bytes[(4 * size)...])
    let ark = try SEVAuthority(prefixOf: bytes[(4 * size + ask.bytes.count)...])
    guard ask.usage == .ask, ark.usage == .ark else {
      throw AttestationError(.malformed, "SEV chain: expected ASK, then ARK, at its end")
    }
    let (pdh, pek, oca, cek) = (
      certificates[0], certificates[1], certificates[2], certificates[3]
    )
    for (name, holds) in [
      ("PDH by PEK", pdh.isSigned(by: pek)), ("PEK by CEK", pek.isSigned(by: cek)),
      ("PEK by OCA", pek.isSigned(by: oca)), ("OCA by itself", oca.isSigned(by: oca)),
      ("CEK by ASK", ask.signed(cek)), ("ASK by ARK", ark.signed(ask)),
      ("ARK by itself", ark.signed(ark)),
    ] where !holds {
      throw AttestationError(.invalidKey, "SEV chain: the signature of \(name) does not hold")
    }
    let digest = Array(SHA256.hash(data: ark.bytes))
    guard let root = roots.first(where: { $0.sha256 == digest }) else {
      throw AttestationError(
        .invalidKey, "SEV chain: its root, SHA-256 \(Hex.encode(digest)), is none of AMD's")
    }
    agreement = pdh
    product = root.product
    chip = Array(SHA256.hash(data: cek.body))
    isSimulated = !Self.roots.contains { $0.sha256 == digest }
  }
}
