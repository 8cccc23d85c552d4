import ArcaAttester
import ArcaBytes
import CArcaTLS

/// Mbed TLS with Swift's types; what fails gives nil, or the library's negative number.
enum Crypto {
  static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = zeros(32)
    // SAFETY: the call reads `count` bytes and writes 32.
    unsafe arca_sha256(bytes, bytes.count, &digest)
    return digest
  }

  static func sha384(_ bytes: [UInt8]) -> [UInt8]? {
    var digest = zeros(48)
    // SAFETY: the call reads `count` bytes and writes 48.
    return unsafe arca_sha384(bytes, bytes.count, &digest) == 0 ? digest : nil
  }

  /// HMAC with SHA-256.
  static func hmac(_ message: [UInt8], _ key: [UInt8]) -> [UInt8] {
    var code = zeros(32)
    // SAFETY: the call reads both counts and writes 32 bytes.
    unsafe arca_hmac(key, key.count, message, message.count, &code)
    return code
  }

  /// Makes a new key pair for secrets; its public point, x and y.
  static func makeKey() -> [UInt8]? {
    var point = zeros(64)
    // SAFETY: the call writes 64 bytes.
    return unsafe arca_key_make(&point) == 0 ? point : nil
  }

  /// Decrypts what was encrypted to the key; nil where it was not, or was changed.
  static func open(_ secret: SealedSecret) -> [UInt8]? {
    var plaintext = zeros(secret.ciphertext.count)
    // SAFETY: SealedSecret holds the fixed lengths that the call reads; it writes `count` bytes.
    let result = unsafe arca_jwe_open(
      secret.ephemeral, secret.wrapped, secret.iv, secret.header, secret.header.count,
      secret.ciphertext, secret.ciphertext.count, secret.tag, &plaintext)
    return result == 0 ? plaintext : nil
  }

  /// Zeroes `bytes` and makes them empty; nobody else may hold the array.
  static func wipe(_ bytes: inout [UInt8]) {
    // SAFETY: the array has so many bytes.
    unsafe arca_wipe(&bytes, bytes.count)
    bytes = []
  }

  fileprivate static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
}

/// The one TLS connection, as a machine between plain bytes and those of the network.
enum TLS {
  static func start(host: Text) -> Int32 {
    // SAFETY: the C string lives through the call, which copies it.
    unsafe arca_tls_start(host.cString)
  }

  /// Takes bytes of the network; how many there was room for.
  static func feed(_ bytes: ArraySlice<UInt8>) -> Int {
    // SAFETY: the call reads the buffer's bytes.
    unsafe bytes.withUnsafeBufferPointer { unsafe arca_tls_feed($0.baseAddress, $0.count) }
  }

  /// At most `count` bytes for the network.
  static func take(_ count: Int) -> [UInt8] {
    var bytes = Crypto.zeros(count)
    // SAFETY: the call writes at most `count` bytes and says how many.
    bytes.removeLast(count - (unsafe arca_tls_take(&bytes, count)))
    return bytes
  }

  /// SHA-256 of the SubjectPublicKeyInfo that the server proved to own.
  static func peerKey() -> [UInt8]? {
    var digest = Crypto.zeros(32)
    // SAFETY: the call writes 32 bytes or fails.
    return unsafe arca_tls_peer_key(&digest) == 0 ? digest : nil
  }

  static func write(_ bytes: ArraySlice<UInt8>) -> Int {
    // SAFETY: the call reads the buffer's bytes.
    unsafe bytes.withUnsafeBufferPointer { unsafe arca_tls_write($0.baseAddress, $0.count) }
  }

  /// Reads at most `count` bytes into `bytes`, in place of what it held.
  static func read(_ count: Int, into bytes: inout [UInt8]) -> Int {
    bytes = Crypto.zeros(count)
    // SAFETY: the call writes at most `count` bytes and says how many.
    let result = unsafe arca_tls_read(&bytes, count)
    bytes.removeLast(count - max(0, result))
    return result
  }
}
