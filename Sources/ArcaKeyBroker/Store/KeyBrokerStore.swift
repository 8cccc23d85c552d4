/// Where sessions, resources and the audit log are kept; several brokers may share one.
///
/// What a call changes and the audit event that it is given are one transaction: when the call
/// returns, both are on disk, and neither is without the other.
public protocol KeyBrokerStore: Sendable {
  /// Adds a session, unless `limit` of them are open at `now`; expired ones are dropped first.
  func open(_ session: SessionRecord, limit: Int, now: Int64) async throws(KeyBrokerError)

  /// The session `id` whether expired or not, or nil.
  func session(_ id: String) async throws(KeyBrokerError) -> SessionRecord?

  /// Takes the session's nonce: of any number of calls for one session, one returns true.
  func takeNonce(ofSession id: String) async throws(KeyBrokerError) -> Bool

  /// Stores what the session was attested with.
  func attest(
    session id: String, with attestation: [UInt8], audit: AuditEvent
  ) async throws(KeyBrokerError)

  /// Records that `path` is released to the session; false, and nothing recorded, where it was
  /// before.
  func release(
    _ path: ResourcePath, toSession id: String, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool

  /// The resource at `path`, sealed, or nil.
  func resource(_ path: ResourcePath) async throws(KeyBrokerError) -> SealedResource?

  /// Every resource without its content, by path.
  func resources() async throws(KeyBrokerError) -> [ResourceSummary]

  /// Stores a resource in place of the one at its path.
  func put(_ resource: SealedResource, audit: AuditEvent) async throws(KeyBrokerError)

  /// Removes the resource at `path`; false where there is none, which is recorded too.
  func delete(_ path: ResourcePath, audit: AuditEvent) async throws(KeyBrokerError) -> Bool

  /// Replaces the wrapped key of every resource by what `rewrap` makes of it.
  func rewrap(
    audit: AuditEvent,
    _ rewrap: @escaping @Sendable (SealedResource) throws(KeyBrokerError) -> SealedResource
  ) async throws(KeyBrokerError)

  /// Appends to the audit log.
  func append(_ event: AuditEvent) async throws(KeyBrokerError)

  /// The last audit entry, or nil where there is none.
  func auditHead() async throws(KeyBrokerError) -> AuditEntry?

  /// Audit entries from sequence number `first` on, at most `limit`.
  func auditEntries(from first: Int64, limit: Int) async throws(KeyBrokerError) -> [AuditEntry]
}

/// One exchange with an attester.
public struct SessionRecord: Sendable, Equatable {
  /// 32 lowercase hexadecimal digits.
  public let id: String
  /// The nonce as sent: base64 of 32 bytes.
  public let nonce: String
  /// The kind of TEE that the attester said it is.
  public let tee: AttesterKind
  /// When the session ends, in seconds since 1970.
  public let expires: Int64
  /// What the session was attested with (``Attested``, encoded), or nil.
  public var attestation: [UInt8]?

  /// Creates a record.
  public init(
    id: String, nonce: String, tee: AttesterKind, expires: Int64, attestation: [UInt8]? = nil
  ) {
    self.id = id
    self.nonce = nonce
    self.tee = tee
    self.expires = expires
    self.attestation = attestation
  }
}

/// A resource encrypted with a key of its own, which is wrapped under a master key.
public struct SealedResource: Sendable, Equatable {
  /// The resource's path.
  public let path: ResourcePath
  /// Identifier of the master key.
  public let keyID: String
  /// The resource's key, wrapped by AES key wrap (RFC 3394), 40 bytes.
  public let wrappedKey: [UInt8]
  /// AES-256-GCM: nonce (12 bytes), ciphertext, tag (16 bytes); the path is authenticated with it.
  public let box: [UInt8]
  /// When it was set, in seconds since 1970.
  public let updated: Int64

  /// Creates a record.
  public init(
    path: ResourcePath, keyID: String, wrappedKey: [UInt8], box: [UInt8], updated: Int64
  ) {
    self.path = path
    self.keyID = keyID
    self.wrappedKey = wrappedKey
    self.box = box
    self.updated = updated
  }
}

/// What may be shown about a resource.
public struct ResourceSummary: Sendable, Equatable {
  /// The resource's path.
  public let path: ResourcePath
  /// Bytes of its content.
  public let size: Int
  /// Identifier of the master key that its key is wrapped under.
  public let keyID: String
  /// When it was set, in seconds since 1970.
  public let updated: Int64

  /// Creates a summary.
  public init(path: ResourcePath, size: Int, keyID: String, updated: Int64) {
    self.path = path
    self.size = size
    self.keyID = keyID
    self.updated = updated
  }
}
