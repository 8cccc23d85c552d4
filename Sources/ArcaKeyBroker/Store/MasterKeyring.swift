import ArcaBytes
import Crypto
import Foundation
import Synchronization

/// Where the master keys are, under which the keys of resources are wrapped.
///
/// The newest wraps; older ones unwrap what was wrapped before a rotation.
public protocol MasterKeyring: Sendable {
  /// Identifier of the key that wraps.
  var currentID: String { get }

  /// Looks for keys again, after a rotation by another process.
  func reload() throws(KeyBrokerError)

  /// Makes a key that is newer than those there, and returns its identifier; it wraps from the next
  /// ``reload()`` on.
  func make() throws(KeyBrokerError) -> String

  /// Wraps the resource key `key`, 32 bytes, under the master key `id`.
  func wrap(_ key: SymmetricKey, under id: String) throws(KeyBrokerError) -> [UInt8]

  /// The resource key that was wrapped under the master key `id`.
  func unwrap(_ wrapped: [UInt8], under id: String) throws(KeyBrokerError) -> SymmetricKey
}

/// Master keys in files of a folder, which wrap by AES key wrap (RFC 3394).
///
/// One file each, named by the key's identifier: 32 bytes in hexadecimal, readable by its owner
/// alone.
public final class MasterKeyFiles: MasterKeyring {
  private struct State {
    var keys: [String: SymmetricKey] = [:]
    var current = ""
  }

  private let folder: String
  private let state: Mutex<State>

  /// Reads every key in `folder`.
  public init(folder: String) throws(KeyBrokerError) {
    self.folder = folder
    state = Mutex(State())
    try reload()
    guard !currentID.isEmpty else {
      throw KeyBrokerError(.keyFile, "\(folder): no master key; make one with arca-kbs init")
    }
  }

  /// Identifier of the key that wraps.
  public var currentID: String { state.withLock { $0.current } }

  /// Makes a key in `folder`, newer than those there, and returns its identifier.
  @discardableResult
  public static func make(in folder: String) throws(KeyBrokerError) -> String {
    let id = MasterKeyName.next(after: names(in: folder))
    let key = SymmetricKey(size: .bits256)
    try PrivateFile.write(Array((Hex.encode(key.octets) + "\n").utf8), to: "\(folder)/\(id).key")
    return id
  }

  /// Makes a key in the folder.
  public func make() throws(KeyBrokerError) -> String { try Self.make(in: folder) }

  /// Reads the keys again.
  public func reload() throws(KeyBrokerError) {
    var loaded = State()
    for name in Self.names(in: folder) {
      var text = try PrivateFile.read("\(folder)/\(name).key")
      defer { text.resetBytes(in: 0..<text.count) }
      let digits = String(decoding: text, as: UTF8.self).filter { !$0.isWhitespace }
      guard let bytes = Hex.decode(digits), bytes.count == 32 else {
        throw KeyBrokerError(.keyFile, "\(folder)/\(name).key: expected 32 bytes in hexadecimal")
      }
      loaded.keys[name] = SymmetricKey(data: bytes)
      loaded.current = name
    }
    state.withLock { $0 = loaded }
  }

  /// Wraps by RFC 3394: 40 bytes.
  public func wrap(_ key: SymmetricKey, under id: String) throws(KeyBrokerError) -> [UInt8] {
    let master = try self.key(id)
    do {
      return Array(try AES.KeyWrap.wrap(key, using: master))
    } catch {
      throw KeyBrokerError(.corrupted, "wrapping under master key \(id): \(error)")
    }
  }

  /// Unwraps by RFC 3394.
  public func unwrap(_ wrapped: [UInt8], under id: String) throws(KeyBrokerError) -> SymmetricKey {
    let master = try self.key(id)
    do {
      return try AES.KeyWrap.unwrap(wrapped, using: master)
    } catch {
      throw KeyBrokerError(.corrupted, "a key does not unwrap under master key \(id)")
    }
  }

  private func key(_ id: String) throws(KeyBrokerError) -> SymmetricKey {
    if let key = state.withLock({ $0.keys[id] }) { return key }
    try reload()
    guard let key = state.withLock({ $0.keys[id] }) else {
      throw KeyBrokerError(.keyFile, "\(folder): no master key \(id)")
    }
    return key
  }

  private static func names(in folder: String) -> [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(".key") }.map { String($0.dropLast(4)) }.sorted()
  }
}

/// Identifiers of master keys: six digits or more, which sort by age.
public enum MasterKeyName {
  /// The name of a key that is newer than those of `names`.
  public static func next(after names: [String]) -> String {
    let number = "\((names.compactMap { Int($0) }.max() ?? 0) + 1)"
    return String(repeating: "0", count: max(0, 6 - number.count)) + number
  }
}
