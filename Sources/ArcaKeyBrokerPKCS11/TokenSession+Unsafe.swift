import ArcaKeyBroker
import CArcaToken
import Crypto
import Foundation

/// A session with a token, logged in.
@safe struct TokenSession: ~Copyable, @unchecked Sendable {
  // SAFETY: the pointer comes from arca_token_open, is used by one caller at a time (the value is
  // not copyable and lies behind a lock) and is freed once, in deinit.
  private let token: OpaquePointer
  private let label: String

  /// Loads the module and logs in with the content of the PIN file, without white space at its end.
  init(_ slot: TokenSlot, pin: Data) throws(KeyBrokerError) {
    var digits = Array(pin)
    while let last = digits.last, [0x0A, 0x0D, 0x20].contains(last) { digits.removeLast() }
    var opened: OpaquePointer?
    let result = unsafe arca_token_open(slot.module, slot.label, digits, digits.count, &opened)
    for index in digits.indices { digits[index] = 0 }
    guard result == 0, let opened = unsafe opened else {
      throw Self.fault(result, "module \(slot.module), token \(slot.label)")
    }
    unsafe token = opened
    label = slot.label
  }

  deinit { unsafe arca_token_close(token) }

  /// AES keys whose labels start with `prefix`.
  func keys(prefix: String, max: Int) throws(KeyBrokerError) -> [(label: String, handle: UInt)] {
    var found = [arca_token_key](repeating: arca_token_key(), count: max)
    var count = 0
    // SAFETY: the array has room for `max` keys, of which the call fills `count`.
    try check(unsafe arca_token_keys(token, prefix, &found, max, &count), "finding keys")
    return found.prefix(count).map { key in
      // SAFETY: the label is a C string that ends within its array.
      let text = unsafe withUnsafeBytes(of: key.label) { unsafe Array($0.prefix { $0 != 0 }) }
      return (String(decoding: text, as: UTF8.self), key.handle)
    }
  }

  /// Makes an AES-256 key.
  func generate(label: String) throws(KeyBrokerError) {
    try check(unsafe arca_token_generate(token, label), "making the key \(label)")
  }

  /// AES-GCM in the token.
  func crypt(
    _ input: [UInt8], key: UInt, nonce: [UInt8], bound: [UInt8], encrypts: Bool
  ) throws(KeyBrokerError) -> [UInt8] {
    // Some modules ask for room for the tag when decrypting too.
    var output = [UInt8](repeating: 0, count: input.count + Int(ARCA_TOKEN_TAG))
    var length = output.count
    // SAFETY: every array goes with its length; the nonce has the 12 bytes that are read.
    let result = unsafe arca_token_crypt(
      token, key, encrypts ? 1 : 0, nonce, bound, bound.count, input, input.count, &output, &length)
    if !encrypts, result != 0, !Self.sessionFaults.contains(result) {
      throw KeyBrokerError(
        .corrupted, "token \(label): a key does not unwrap (\(Self.text(result)))")
    }
    try check(result, encrypts ? "wrapping a key" : "unwrapping a key")
    return Array(output[..<min(length, output.count)])
  }

  /// A copy of a key's bytes.
  static func octets(of key: SymmetricKey) -> Data {
    // SAFETY: the buffer is read within the closure only, and copied.
    unsafe key.withUnsafeBytes { unsafe Data($0) }
  }

  // CKR_DEVICE_ERROR, _MEMORY, _REMOVED, CKR_SESSION_CLOSED, CKR_SESSION_HANDLE_INVALID,
  // CKR_TOKEN_NOT_PRESENT, CKR_USER_NOT_LOGGED_IN, CKR_CRYPTOKI_NOT_INITIALIZED.
  private static let sessionFaults: Set<UInt> = [
    0x30, 0x31, 0x32, 0xB0, 0xB3, 0xE0, 0x101, 0x190,
  ]

  private func check(_ result: UInt, _ what: String) throws(KeyBrokerError) {
    guard result == 0 else { throw Self.fault(result, "token \(label), \(what)") }
  }

  private static func fault(_ result: UInt, _ what: String) -> KeyBrokerError {
    KeyBrokerError(
      sessionFaults.contains(result) ? .store : .keyFile, "\(what): \(text(result))")
  }

  private static func text(_ result: UInt) -> String {
    switch result {
    case UInt(ARCA_TOKEN_NO_MODULE): "no PKCS#11 module could be loaded"
    case UInt(ARCA_TOKEN_NO_TOKEN): "no token has this label"
    case UInt(ARCA_TOKEN_NO_MEMORY): "out of memory"
    case 0xA0, 0xA1, 0xA2: "the PIN is wrong"
    case 0xA4: "the PIN is locked"
    default: "the module answers CKR 0x" + String(result, radix: 16)
    }
  }
}
