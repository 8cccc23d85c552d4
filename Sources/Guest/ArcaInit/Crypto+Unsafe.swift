import ArcaAttester
import CArcaTLS

/// Mbed TLS with Swift's types; what fails gives nil, or the library's negative number.
enum Crypto {
  static func sha384(_ bytes: [UInt8]) -> [UInt8]? {
    // SAFETY: the call reads `count` bytes and writes 48.
    unsafe filled(48) { unsafe arca_sha384(bytes, bytes.count, $0) }
  }

  /// Makes a new key pair for secrets; its public point, x and y.
  static func makeKey() -> [UInt8]? {
    // SAFETY: the call writes 64 bytes.
    unsafe filled(64) { unsafe arca_key_make($0) }
  }

  /// Decrypts what was encrypted to the key; nil where it was not, or was changed.
  static func open(_ secret: SealedSecret) -> [UInt8]? {
    // SAFETY: SealedSecret holds the fixed lengths that the call reads; it writes `count` bytes.
    unsafe filled(secret.ciphertext.count) {
      unsafe arca_jwe_open(
        secret.ephemeral, secret.wrapped, secret.iv, secret.header, secret.header.count,
        secret.ciphertext, secret.ciphertext.count, secret.tag, $0)
    }
  }

  /// Zeroes `bytes` and makes them empty; nobody else may hold the array.
  static func wipe(_ bytes: inout [UInt8]) {
    unsafe bytes.withUnsafeMutableBytes { buffer in
      // SAFETY: the buffer is the array's own.
      if let base = buffer.baseAddress { unsafe arca_wipe(base, buffer.count) }
    }
    bytes = []
  }

  fileprivate static func filled(
    _ count: Int, _ body: (UnsafeMutablePointer<UInt8>?) -> Int32
  ) -> [UInt8]? {
    var result: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: max(count, 1)) { buffer, initialized in
      // SAFETY: each body writes `count` bytes, for which there is room, or fails.
      result = unsafe body(buffer.baseAddress)
      initialized = result == 0 ? count : 0
    }
    return result == 0 ? bytes : nil
  }
}

/// The one TLS connection, as a machine between plain bytes and those of the network.
enum TLS {
  static func start(host: String) -> Int32 {
    // SAFETY: the C string lives through the call, which copies it.
    unsafe arca_tls_start(host)
  }

  /// Takes bytes of the network; how many there was room for.
  static func feed(_ bytes: ArraySlice<UInt8>) -> Int {
    // SAFETY: the call reads the buffer's bytes.
    unsafe bytes.withUnsafeBufferPointer { unsafe arca_tls_feed($0.baseAddress, $0.count) }
  }

  /// At most `count` bytes for the network.
  static func take(_ count: Int) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      // SAFETY: the call writes at most `count` bytes and says how many.
      initialized = unsafe arca_tls_take(buffer.baseAddress, count)
    }
  }

  /// SHA-256 of the SubjectPublicKeyInfo that the server proved to own.
  static func peerKey() -> [UInt8]? {
    // SAFETY: the call writes 32 bytes or fails.
    unsafe Crypto.filled(32) { unsafe arca_tls_peer_key($0) }
  }

  static func write(_ bytes: ArraySlice<UInt8>) -> Int {
    // SAFETY: the call reads the buffer's bytes.
    unsafe bytes.withUnsafeBufferPointer { unsafe arca_tls_write($0.baseAddress, $0.count) }
  }

  /// Reads at most `count` bytes into `bytes`, in place of what it held.
  static func read(_ count: Int, into bytes: inout [UInt8]) -> Int {
    var result = 0
    bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      // SAFETY: the call writes at most `count` bytes and says how many.
      result = unsafe arca_tls_read(buffer.baseAddress, count)
      initialized = max(0, result)
    }
    return result
  }
}
