import ArcaBytes
import Crypto
import Foundation

extension KeyBroker {
  /// Stores `content` at `path` for the administrator `name`.
  public func setResource(
    _ path: String, to content: Data, by name: String
  ) async throws(KeyBrokerError) {
    let path = try ResourcePath(path)
    guard content.count <= limits.resourceBytesMax else {
      throw KeyBrokerError(
        .tooLarge, "\(path): \(content.count) bytes, at most \(limits.resourceBytesMax)")
    }
    let now = clock()
    try await store.put(
      try keys.seal(content, at: path, time: now),
      audit: event("set", path, by: name, at: now))
  }

  /// Removes the resource at `path`; false where there was none.
  public func deleteResource(_ path: String, by name: String) async throws(KeyBrokerError) -> Bool {
    let path = try ResourcePath(path)
    return try await store.delete(path, audit: event("delete", path, by: name, at: clock()))
  }

  /// The resource at `path` for whoever holds the broker's own files, or nil.
  public func revealResource(
    _ path: String, by name: String
  ) async throws(KeyBrokerError) -> Data? {
    let path = try ResourcePath(path)
    try await store.append(event("get", path, by: name, at: clock()))
    guard let sealed = try await store.resource(path) else { return nil }
    return try keys.openForAdministrator(sealed)
  }

  /// Every resource, without its content.
  public func listResources() async throws(KeyBrokerError) -> [ResourceSummary] {
    try await store.resources()
  }

  /// The last `count` entries of the audit log, the newest first.
  public func latestAudit(_ count: Int) async throws(KeyBrokerError) -> [AuditEntry] {
    guard let head = try await store.auditHead() else { return [] }
    let first = max(1, head.sequence - Int64(count) + 1)
    return try await store.auditEntries(from: first, limit: count).reversed()
  }

  /// Puts `policy` in force.
  public func installPolicy(
    _ policy: StoredPolicy, by name: String
  ) async throws(KeyBrokerError) {
    let digest = Array(SHA256.hash(data: Data(policy.record)))
    try await store.install(
      policy: policy.record,
      audit: AuditEvent(
        .policy, at: clock(),
        [.init("by", .string(name)), .init("digest", .string(Hex.encode(digest)))]))
  }

  /// Puts a rule behind those of the policy in force: it releases `resources` to `identity`.
  public func allow(
    _ resources: [ResourcePattern], to identity: MeasuredIdentity, as rule: String, by name: String
  ) async throws(KeyBrokerError) {
    guard let record = try await store.policy() else {
      throw KeyBrokerError(.invalidPolicy, "no policy is installed; expected one to add a rule to")
    }
    let policy = try StoredPolicy(record: record).allowing(resources, to: identity, as: rule)
    try await installPolicy(policy, by: name)
  }

  /// Reads the policy in force, or says why there is none.
  public func checkPolicy() async throws(KeyBrokerError) -> ReleasePolicy {
    try await policy.current(in: store)
  }

  /// Takes the newest master key into use for every resource.
  public func rotate(by name: String) async throws(KeyBrokerError) {
    let keys = keys
    try keys.keyring.reload()
    try await store.rewrap(
      audit: AuditEvent(
        .rotate, at: clock(),
        [.init("by", .string(name)), .init("key", .string(keys.keyring.currentID))])
    ) { sealed throws(KeyBrokerError) in try keys.rewrap(sealed) }
  }

  private func event(
    _ call: String, _ path: ResourcePath, by name: String, at now: Int64
  ) -> AuditEvent {
    AuditEvent(
      .resource, at: now,
      [
        .init("call", .string(call)), .init("path", .string(path.description)),
        .init("by", .string(name)),
      ])
  }
}

/// Checks administrators' tokens: compact JWS, EdDSA or ES256, by keys that the broker was given.
public struct Administrators: Sendable {
  /// No token lasts longer, in seconds.
  public static let tokenSecondsMax: UInt64 = 7200
  /// How far an administrator's clock may be ahead, in seconds.
  public static let clockSkewSeconds: UInt64 = 60

  private let keys: [JWSPublicKey]

  /// Trusts whoever holds the private half of one of `keys`.
  public init(keys: [JWSPublicKey]) {
    self.keys = keys
  }

  /// The name of the administrator whose token `authorization` (`Bearer …`) carries.
  public func name(
    authorization: String?, at time: Int64
  ) throws(KeyBrokerError) -> String {
    guard let authorization, authorization.hasPrefix("Bearer "),
      let claims = JWS.verify(String(authorization.dropFirst(7)), with: keys)
    else { throw KeyBrokerError(.invalidAdminToken, "admin token: missing, or of no known key") }
    guard let issued = claims["iat"]?.whole, let expires = claims["exp"]?.whole,
      issued < expires, expires - issued <= Self.tokenSecondsMax
    else {
      throw KeyBrokerError(
        .invalidAdminToken,
        "admin token: expected iat and exp at most "
          + "\(Self.tokenSecondsMax) seconds apart")
    }
    let now = UInt64(max(0, time))
    guard now < expires, issued <= now + Self.clockSkewSeconds else {
      throw KeyBrokerError(.invalidAdminToken, "admin token: expired or not valid yet")
    }
    return claims["sub"]?.text ?? "administrator"
  }

  /// A token for the administrator `name`, valid for `seconds` from `time` on.
  public static func token(
    name: String, seconds: UInt64, at time: Int64, with key: JWSPrivateKey
  ) throws(KeyBrokerError) -> String {
    let now = UInt64(max(0, time))
    return try JWS.sign(
      .members(
        ("sub", .string(name)), ("iat", .number(now)),
        ("exp", .number(now + min(seconds, tokenSecondsMax)))), with: key)
  }
}
