import Crypto
import Foundation

/// Seals resources, each with a key of its own that is wrapped under a master key.
public struct MasterKeys: Sendable {
  /// The master keys.
  public let keyring: any MasterKeyring

  /// Seals under the keys of `keyring`.
  public init(_ keyring: any MasterKeyring) {
    self.keyring = keyring
  }

  /// Encrypts `content` with a new key of its own.
  public func seal(
    _ content: Data, at path: ResourcePath, time: Int64
  ) throws(KeyBrokerError) -> SealedResource {
    let id = keyring.currentID
    let resourceKey = SymmetricKey(size: .bits256)
    let wrapped = try keyring.wrap(resourceKey, under: id)
    do {
      let box = try AES.GCM.seal(content, using: resourceKey, authenticating: Self.bound(path))
      return SealedResource(
        path: path, keyID: id, wrappedKey: wrapped,
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
    let resourceKey = try keyring.unwrap(resource.wrappedKey, under: resource.keyID)
    do {
      let box = try AES.GCM.SealedBox(combined: resource.box)
      return try AES.GCM.open(box, using: resourceKey, authenticating: Self.bound(resource.path))
    } catch {
      throw KeyBrokerError(.corrupted, "\(resource.path): does not decrypt; \(error)")
    }
  }

  /// The resource with its key wrapped under the current master key.
  public func rewrap(_ resource: SealedResource) throws(KeyBrokerError) -> SealedResource {
    let id = keyring.currentID
    let resourceKey = try keyring.unwrap(resource.wrappedKey, under: resource.keyID)
    return SealedResource(
      path: resource.path, keyID: id, wrappedKey: try keyring.wrap(resourceKey, under: id),
      box: resource.box, updated: resource.updated)
  }

  /// Encrypts the owner's side of the session `id` with a platform, as text.
  func sealLaunch(_ content: StrictJSON, session id: String) throws(KeyBrokerError) -> String {
    let keyID = keyring.currentID
    let key = SymmetricKey(size: .bits256)
    let wrapped = try keyring.wrap(key, under: keyID)
    do {
      let box = try AES.GCM.seal(
        Data(content.compact.utf8), using: key, authenticating: Self.bound(launch: id))
      let sealed = Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
      return StrictJSON.members(
        ("keyID", .string(keyID)), ("wrappedKey", .string(Base64.encode(wrapped, .standard))),
        ("box", .string(Base64.encode(sealed, .standard)))
      ).compact
    } catch {
      throw KeyBrokerError(.corrupted, "sealing session \(id): \(error)")
    }
  }

  /// Decrypts what ``sealLaunch(_:session:)`` made for the session `id`.
  func openLaunch(_ text: String, session id: String) throws(KeyBrokerError) -> StrictJSON {
    let json = try StrictJSON(parsing: Array(text.utf8))
    func octets(_ name: String) -> [UInt8]? {
      json[name]?.text.flatMap { Base64.decode($0, .standard) }
    }
    guard let keyID = json["keyID"]?.text, let wrapped = octets("wrappedKey"),
      let sealed = octets("box")
    else { throw KeyBrokerError(.corrupted, "session \(id): its keys are not in their form") }
    let key = try keyring.unwrap(wrapped, under: keyID)
    let content: Data
    do {
      content = try AES.GCM.open(
        try AES.GCM.SealedBox(combined: sealed), using: key,
        authenticating: Self.bound(launch: id))
    } catch {
      throw KeyBrokerError(.corrupted, "session \(id): its keys do not decrypt; \(error)")
    }
    return try StrictJSON(parsing: Array(content))
  }

  private static func bound(launch id: String) -> Data { Data("arca-kbs 1 launch \(id)".utf8) }

  private static func bound(_ path: ResourcePath) -> Data { Data("arca-kbs 1 \(path)".utf8) }
}
