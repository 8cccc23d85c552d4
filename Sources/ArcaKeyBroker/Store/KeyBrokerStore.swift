/// Where sessions, resources and the audit log are kept; several brokers may share one.
///
/// What a call changes and the audit event that it is given are one transaction: when the call
/// returns, both are on disk, and neither is without the other.
public protocol KeyBrokerStore: SessionStore, ResourceStore, CounterStore, AuditStore {
  /// The policy in force (``StoredPolicy``'s record), or nil where none was installed.
  func policy() async throws(KeyBrokerError) -> [UInt8]?

  /// Puts a policy in force.
  func install(policy record: [UInt8], audit: AuditEvent) async throws(KeyBrokerError)

  /// Hands every record but sessions to `visit`, as they are at one moment; audit entries in order.
  func snapshot(
    _ visit: @escaping @Sendable (StoreRecord) throws(KeyBrokerError) -> Void
  ) async throws(KeyBrokerError)

  /// Fills the store, which holds nothing, with the records that `next` gives until nil. A store
  /// whose filling was broken off refuses to be opened.
  func fill(
    _ next: @escaping @Sendable () throws(KeyBrokerError) -> StoreRecord?
  ) async throws(KeyBrokerError)
}

/// The part of a store that keeps sessions, nonces and releases.
public protocol SessionStore: Sendable {
  /// Adds a session, unless `limit` of them are open at `now`; expired ones are dropped first.
  func open(_ session: SessionRecord, limit: Int, now: Int64) async throws(KeyBrokerError)

  /// The session `id` whether expired or not, or nil.
  func session(_ id: String) async throws(KeyBrokerError) -> SessionRecord?

  /// Takes the session's nonce and stores what it was attested with; false, and nothing recorded,
  /// where the nonce was taken before.
  ///
  /// Of any number of calls for one session, one returns true.
  func attest(
    session id: String, with attestation: [UInt8], audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool

  /// Takes the session's nonce, where there is one to take, for an attempt that is refused.
  func refuse(session id: String, audit: AuditEvent) async throws(KeyBrokerError)

  /// Records that `path` is released to the session; false, and nothing recorded, where it was
  /// before.
  func release(
    _ path: ResourcePath, toSession id: String, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool
}

/// The part of a store that keeps resources, sealed.
public protocol ResourceStore: Sendable {
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
}

/// The part of a store that keeps generation counters.
public protocol CounterStore: Sendable {
  /// The generation counter of `path`; 0 where it was never advanced.
  func generation(_ path: ResourcePath) async throws(KeyBrokerError) -> UInt64

  /// Sets the counter of `path` to `next` where it is `expected`; false, and nothing recorded,
  /// where it is another.
  func advance(
    _ path: ResourcePath, from expected: UInt64, to next: UInt64, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool

  /// Every counter that was advanced, by path.
  func generations() async throws(KeyBrokerError) -> [GenerationCounter]

  /// Puts the counter of `path` back to 0; false where it is 0, which is recorded too.
  func removeGeneration(
    _ path: ResourcePath, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool
}

/// The part of a store that keeps the audit log.
public protocol AuditStore: Sendable {
  /// Appends to the audit log.
  func append(_ event: AuditEvent) async throws(KeyBrokerError)

  /// The last audit entry, or nil where there is none.
  func auditHead() async throws(KeyBrokerError) -> AuditEntry?

  /// Audit entries from sequence number `first` on, at most `limit`.
  func auditEntries(from first: Int64, limit: Int) async throws(KeyBrokerError) -> [AuditEntry]
}
