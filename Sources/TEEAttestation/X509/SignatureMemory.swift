import Crypto

/// Remembers which certificates and revocation lists are signed by which keys.
///
/// Whether a signature holds depends on its bytes and the key's alone, so it need not be computed
/// again for every chip of a product line and every report of a chip. Validity, revocation, names
/// and trust depend on more and are checked each time. A memory is handed only digests of what
/// held; it may forget any of them.
public protocol SignatureMemory: Sendable {
  /// Whether `digest` is remembered.
  func contains(_ digest: [UInt8]) -> Bool

  /// Remembers `digest`, 32 bytes.
  func insert(_ digest: [UInt8])
}

extension VerificationContext {
  /// Whether the document `der`, a certificate or a revocation list, is signed by the key of
  /// `issuer`, asking `memory` first.
  ///
  /// `key` is the issuer's where it has been read already.
  func holds(
    _ signature: ArraySlice<UInt8>, over tbs: ArraySlice<UInt8>,
    _ algorithm: SignatureAlgorithm, of der: [UInt8], by issuer: X509Certificate,
    key: X509PublicKey?
  ) -> Bool {
    // The key and the whole document, its signature and algorithm among it: nothing that the
    // answer depends on is left out. The key's length keeps the two apart.
    let name = memory.map { _ in Self.digest(issuer.publicKeyInfo, der) }
    if let memory, let name, memory.contains(name) { return true }
    let holds = (key ?? (try? issuer.publicKey()))?.verifies(signature, over: tbs, algorithm)
    if holds == true, let memory, let name { memory.insert(name) }
    return holds ?? false
  }

  private static func digest(_ key: ArraySlice<UInt8>, _ document: [UInt8]) -> [UInt8] {
    var hash = SHA256()
    hash.update(data: (0..<4).map { UInt8(truncatingIfNeeded: key.count >> (8 * $0)) })
    hash.update(data: key)
    hash.update(data: document)
    return Array(hash.finalize())
  }
}
