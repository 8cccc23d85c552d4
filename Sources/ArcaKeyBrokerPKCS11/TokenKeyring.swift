import ArcaKeyBroker
import Crypto
import Foundation
import Synchronization

/// Master keys in a cryptographic token (PKCS#11): AES-256 keys labelled `arca-kbs-IDENTIFIER`,
/// which wrap by AES-GCM inside of it and cannot be taken out.
///
/// A wrapped key is 60 bytes: nonce (12), ciphertext (32), tag (16); the identifier is
/// authenticated with it.
public final class TokenKeyring: MasterKeyring {
  /// What the labels of master keys start with.
  public static let labelPrefix = "arca-kbs-"
  static let keysMax = 256

  private struct State: ~Copyable {
    var session: TokenSession?
    var keys: [String: UInt] = [:]
    var current = ""
  }

  private let slot: TokenSlot
  private let state = Mutex(State())

  /// Opens the token and finds its master keys; makes the first one where `makesFirst` says so.
  public init(_ slot: TokenSlot, makesFirst: Bool = false) throws(KeyBrokerError) {
    self.slot = slot
    try reload()
    if currentID.isEmpty, makesFirst {
      _ = try make()
      try reload()
    }
    guard !currentID.isEmpty else {
      throw KeyBrokerError(
        .keyFile, "token \(slot.label): no key \(Self.labelPrefix)…; make one with arca-kbs init")
    }
  }

  /// Identifier of the key that wraps.
  public var currentID: String { state.withLock { $0.current } }

  /// Looks for keys in the token.
  public func reload() throws(KeyBrokerError) {
    try inSession { session, state throws(KeyBrokerError) in
      let found = try session.keys(prefix: Self.labelPrefix, max: Self.keysMax)
      state.keys = [:]
      for (label, handle) in found {
        state.keys[String(label.dropFirst(Self.labelPrefix.count))] = handle
      }
      state.current = state.keys.keys.max() ?? ""
    }
  }

  /// Makes a key in the token.
  public func make() throws(KeyBrokerError) -> String {
    try reload()
    let names = state.withLock { Array($0.keys.keys) }
    let id = MasterKeyName.next(after: names)
    try inSession { session, _ throws(KeyBrokerError) in
      try session.generate(label: Self.labelPrefix + id)
    }
    return id
  }

  /// Encrypts the key in the token.
  public func wrap(_ key: SymmetricKey, under id: String) throws(KeyBrokerError) -> [UInt8] {
    let nonce = Array(AES.GCM.Nonce())
    var plain = TokenSession.octets(of: key)
    defer { plain.resetBytes(in: 0..<plain.count) }
    return nonce + (try crypt(Array(plain), nonce: nonce, encrypts: true, under: id))
  }

  /// Decrypts the key in the token.
  public func unwrap(_ wrapped: [UInt8], under id: String) throws(KeyBrokerError) -> SymmetricKey {
    guard wrapped.count == 60 else {
      throw KeyBrokerError(.corrupted, "a wrapped key of \(wrapped.count) bytes, expected 60")
    }
    let plain = try crypt(
      Array(wrapped[12...]), nonce: Array(wrapped[..<12]), encrypts: false, under: id)
    guard plain.count == 32 else {
      throw KeyBrokerError(.corrupted, "a key of \(plain.count) bytes was wrapped, expected 32")
    }
    return SymmetricKey(data: plain)
  }

  private func crypt(
    _ input: [UInt8], nonce: [UInt8], encrypts: Bool, under id: String
  ) throws(KeyBrokerError) -> [UInt8] {
    if state.withLock({ $0.keys[id] }) == nil { try reload() }
    var output: [UInt8] = []
    try inSession { session, state throws(KeyBrokerError) in
      guard let handle = state.keys[id] else {
        throw KeyBrokerError(.keyFile, "token \(slot.label): no key \(Self.labelPrefix)\(id)")
      }
      output = try session.crypt(
        input, key: handle, nonce: nonce, bound: Array("arca-kbs 1 \(id)".utf8),
        encrypts: encrypts)
    }
    return output
  }

  // One session, one call at a time; a session that failed is opened anew at the next call.
  private func inSession(
    _ body: (borrowing TokenSession, inout State) throws(KeyBrokerError) -> Void
  ) throws(KeyBrokerError) {
    try state.withLock { state throws(KeyBrokerError) in
      let session: TokenSession
      if let open = state.session.take() {
        session = open
      } else {
        var pin = try PrivateFile.read(slot.pinFile)
        defer { pin.resetBytes(in: 0..<pin.count) }
        session = try TokenSession(slot, pin: pin)
      }
      do throws(KeyBrokerError) {
        try body(session, &state)
        state.session = consume session
      } catch {
        if error.code != .store { state.session = consume session }
        throw error
      }
    }
  }
}
