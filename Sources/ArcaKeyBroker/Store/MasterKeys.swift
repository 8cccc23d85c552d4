import ArcaBytes
import Crypto
import Foundation
import Synchronization

/// The master keys, under which the keys of resources are wrapped: one file each in a folder, named
/// by the key's identifier, 32 bytes in hexadecimal, readable by its owner alone.
///
/// The newest is used to seal; older ones open what was sealed before a rotation.
public final class MasterKeys: Sendable {
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

  /// Identifier of the key that seals.
  public var currentID: String { state.withLock { $0.current } }

  /// Makes a key in `folder`, newer than those there, and returns its identifier.
  @discardableResult
  public static func make(in folder: String) throws(KeyBrokerError) -> String {
    let highest = names(in: folder).compactMap { Int($0) }.max() ?? 0
    let id = String(repeating: "0", count: max(0, 6 - "\(highest + 1)".count)) + "\(highest + 1)"
    let key = SymmetricKey(size: .bits256)
    try PrivateFile.write(Array((Hex.encode(key.octets) + "\n").utf8), to: "\(folder)/\(id).key")
    return id
  }

  /// Reads the keys again, after a rotation by another process.
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

  /// Encrypts `content` with a new key of its own.
  public func seal(
    _ content: Data, at path: ResourcePath, time: Int64
  ) throws(KeyBrokerError) -> SealedResource {
    let id = currentID
    let master = try key(id)
    let resourceKey = SymmetricKey(size: .bits256)
    do {
      let box = try AES.GCM.seal(content, using: resourceKey, authenticating: Self.bound(path))
      return SealedResource(
        path: path, keyID: id, wrappedKey: Array(try AES.KeyWrap.wrap(resourceKey, using: master)),
        box: Array(box.nonce) + Array(box.ciphertext) + Array(box.tag), updated: time)
    } catch {
      throw KeyBrokerError(.corrupted, "sealing \(path): \(error)")
    }
  }

  /// Decrypts a resource that `grant` releases.
  public func open(
    _ resource: SealedResource, for grant: ReleaseGrant
  ) throws(KeyBrokerError) -> Data {
    guard grant.path == resource.path else {
      throw KeyBrokerError(.policyDenied, "\(resource.path): granted was \(grant.path)")
    }
    return try openForAdministrator(resource)
  }

  /// Decrypts a resource for whoever holds the broker's own files.
  public func openForAdministrator(_ resource: SealedResource) throws(KeyBrokerError) -> Data {
    let master = try key(resource.keyID)
    do {
      let resourceKey = try AES.KeyWrap.unwrap(resource.wrappedKey, using: master)
      let box = try AES.GCM.SealedBox(combined: resource.box)
      return try AES.GCM.open(box, using: resourceKey, authenticating: Self.bound(resource.path))
    } catch {
      throw KeyBrokerError(.corrupted, "\(resource.path): does not decrypt; \(error)")
    }
  }

  /// The resource with its key wrapped under the current master key.
  public func rewrap(_ resource: SealedResource) throws(KeyBrokerError) -> SealedResource {
    let id = currentID
    let (old, new) = (try key(resource.keyID), try key(id))
    do {
      let resourceKey = try AES.KeyWrap.unwrap(resource.wrappedKey, using: old)
      return SealedResource(
        path: resource.path, keyID: id,
        wrappedKey: Array(try AES.KeyWrap.wrap(resourceKey, using: new)), box: resource.box,
        updated: resource.updated)
    } catch {
      throw KeyBrokerError(.corrupted, "\(resource.path): its key does not unwrap")
    }
  }

  private static func bound(_ path: ResourcePath) -> Data { Data("arca-kbs 1 \(path)".utf8) }
}
