import Crypto
import Foundation

/// The key that a policy's `releaseKey` names: reference values count only with its signature.
///
/// A signature is ECDSA on P-256 over SHA-256, in DER, in a file beside what it signs, as
/// `deploy/sign-release.sh` and cosign's `sign-blob` with a key make them.
struct ReleaseKey {
  /// What is behind a file's name in its signature's.
  static let suffix = ".sig"

  private let key: P256.Signing.PublicKey
  private let name: String

  /// Reads the public key in the file `name`, PEM.
  init(_ name: String, _ file: (String) -> [UInt8]?) throws(KeyBrokerError) {
    guard let content = file(name) else {
      throw KeyBrokerError(.invalidPolicy, "policy.releaseKey: \(name) cannot be read")
    }
    do {
      key = try P256.Signing.PublicKey(pemRepresentation: String(decoding: content, as: UTF8.self))
    } catch {
      throw KeyBrokerError(
        .invalidPolicy, "policy.releaseKey: \(name): expected a public key of P-256 in PEM")
    }
    self.name = name
  }

  /// Throws where `signature` is not this key's over `content`, which is that of `file`.
  func check(
    _ content: [UInt8], signature: [UInt8]?, of file: String
  ) throws(KeyBrokerError) {
    guard let signature else {
      throw KeyBrokerError(
        .invalidPolicy,
        "\(file)\(Self.suffix): cannot be read, but the policy's releaseKey demands a signature")
    }
    guard let parsed = try? P256.Signing.ECDSASignature(derRepresentation: signature),
      key.isValidSignature(parsed, for: content)
    else {
      throw KeyBrokerError(
        .invalidPolicy, "\(file): \(file)\(Self.suffix) is no signature of it by \(name)")
    }
  }
}
