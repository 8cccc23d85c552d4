import ArcaKeyBroker
import Synchronization

/// The store that several brokers share: etcd, version 3.4 or later.
///
///     PREFIX/restoring        while a backup is being restored
///     PREFIX/replica/ID       a broker that serves, with a lease
///     PREFIX/d/session/ID     a session; below it /taken, /attested and /released/PATH
///     PREFIX/d/expiry/TIME/ID when a session ends
///     PREFIX/d/resource/PATH  a resource without its content; PREFIX/d/box/PATH the content
///     PREFIX/d/counter/PATH   a generation counter
///     PREFIX/d/policy         the policy in force
///     PREFIX/d/audit/NUMBER   an entry of the audit log; PREFIX/d/head the number of the last
///
/// Whatever changes is one transaction of etcd's, which is on the disks of a majority of its
/// members when it is answered. The audit log's chain is kept whole by a condition on its head.
public final class EtcdStore: KeyBrokerStore {
  /// Keys taken at one time.
  static let pageMax = 256
  /// How often a write is tried while other brokers append to the audit log before it.
  static let attemptsMax = 200

  let client: EtcdClient
  let prefix: String
  let data: String
  private let turn = Turn()
  private let head = Mutex<AuditHead?>(nil)

  /// The last audit entry, and etcd's revision of the key that names it; 0 where there is none.
  struct AuditHead: Sendable {
    let entry: AuditEntry?
    let revision: UInt64
  }

  /// Opens the store below the service's prefix.
  public init(_ service: EtcdService) async throws(KeyBrokerError) {
    client = try EtcdClient(service)
    prefix = service.prefix
    data = service.prefix + "/d/"
    guard try await get(restoringKey) == nil else {
      throw KeyBrokerError(
        .restoring, "etcd \(prefix): a restoration was broken off; run arca-kbs restore again")
    }
  }

  /// Opens the store even where a restoration was broken off, to restore it.
  public init(restoring service: EtcdService) throws(KeyBrokerError) {
    client = try EtcdClient(service)
    prefix = service.prefix
    data = service.prefix + "/d/"
  }

  var restoringKey: String { prefix + "/restoring" }
  var headKey: String { data + "head" }

  func auditKey(_ sequence: Int64) -> String { data + "audit/" + Self.padded(sequence) }

  // Numbers in keys have 20 digits, so that they sort.
  static func padded(_ number: Int64) -> String {
    let digits = "\(max(0, number))"
    return String(repeating: "0", count: 20 - digits.count) + digits
  }

  // MARK: Requests

  func transaction(
    when conditions: [StrictJSON], then success: [StrictJSON], else failure: [StrictJSON] = []
  ) async throws(KeyBrokerError) -> (
    succeeded: Bool, responses: [StrictJSON], revision: UInt64
  ) {
    let answer = try await client.call(
      "/v3/kv/txn",
      .members(
        ("compare", .array(conditions)), ("success", .array(success)), ("failure", .array(failure))
      ))
    guard let revision = EtcdMessage.number(answer["header"]?["revision"]) else {
      throw KeyBrokerError(.store, "etcd: an answer without a revision")
    }
    return (
      answer["succeeded"] == .bool(true), answer["responses"]?.elements ?? [], revision
    )
  }

  func range(_ request: StrictJSON) async throws(KeyBrokerError) -> StrictJSON {
    try await client.call("/v3/kv/range", request)
  }

  func get(_ key: String) async throws(KeyBrokerError) -> EtcdMessage.Entry? {
    try EtcdMessage.entries(
      try await range(.members(("key", EtcdMessage.octets(key))))
    ).first
  }

  /// Hands over every key below `prefix` in order, as they are at one revision: `revision`, or now.
  func scan(
    _ prefix: String, at revision: UInt64 = 0,
    _ visit: (EtcdMessage.Entry) async throws(KeyBrokerError) -> Void
  ) async throws(KeyBrokerError) {
    var (first, revision) = (prefix, revision)
    while true {
      let answer = try await range(
        EtcdMessage.range(
          first, to: EtcdMessage.end(of: prefix), limit: Self.pageMax, at: revision))
      if revision == 0 { revision = EtcdMessage.number(answer["header"]?["revision"]) ?? 0 }
      let entries = try EtcdMessage.entries(answer)
      for entry in entries { try await visit(entry) }
      guard let last = entries.last, answer["more"] == .bool(true) else { return }
      first = last.key + "\0"
    }
  }

  // MARK: Writing with the audit log

  /// Carries `operations` out and appends `audit` where all `conditions` hold; false, and nothing
  /// done, where one does not.
  ///
  /// Writes of this process wait for each other, so that only other brokers come between.
  func commit(
    when conditions: [StrictJSON], then operations: [StrictJSON], audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    await turn.take()
    let result: Result<Bool, KeyBrokerError>
    do throws(KeyBrokerError) {
      result = .success(try await attempt(conditions, operations, audit))
    } catch {
      // Whether the write took place is not known, nor then what the head is.
      head.withLock { $0 = nil }
      result = .failure(error)
    }
    await turn.give()
    return try result.get()
  }

  private func attempt(
    _ conditions: [StrictJSON], _ operations: [StrictJSON], _ audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    for _ in 0..<Self.attemptsMax {
      let known: AuditHead
      if let cached = head.withLock({ $0 }) { known = cached } else { known = try await readHead() }
      let entry = AuditEntry(audit, after: known.entry)
      let record = Self.record(entry)
      let isHead =
        known.revision == 0
        ? EtcdMessage.isAbsent(headKey)
        : EtcdMessage.isUnchanged(headKey, since: known.revision)
      let answer = try await transaction(
        when: [isHead] + conditions,
        then: operations + [
          EtcdMessage.put(auditKey(entry.sequence), record),
          EtcdMessage.put(headKey, record),
        ], else: [EtcdMessage.get(headKey)])
      if answer.succeeded {
        head.withLock { $0 = AuditHead(entry: entry, revision: answer.revision) }
        return true
      }
      let found = try Self.head(
        try EtcdMessage.entries(answer.responses.first?["response_range"]).first)
      head.withLock { $0 = found }
      if found.revision == known.revision { return false }
    }
    throw KeyBrokerError(.store, "etcd \(prefix): too many brokers write; try again")
  }

  private func readHead() async throws(KeyBrokerError) -> AuditHead {
    try Self.head(try await get(headKey))
  }

  private static func head(_ found: EtcdMessage.Entry?) throws(KeyBrokerError) -> AuditHead {
    guard let found else { return AuditHead(entry: nil, revision: 0) }
    return AuditHead(entry: try entry(found.value), revision: found.revision)
  }

  // The head holds the last entry itself, so that appending takes no second reading.
  static func record(_ entry: AuditEntry) -> [UInt8] {
    Array(
      StrictJSON.members(
        ("sequence", .number(UInt64(max(0, entry.sequence)))), ("text", .string(entry.text)),
        ("hash", EtcdMessage.octets(entry.hash))
      ).compact.utf8)
  }

  static func entry(_ record: [UInt8]) throws(KeyBrokerError) -> AuditEntry {
    let json = try StrictJSON(parsing: record)
    guard let sequence = json["sequence"]?.whole, let text = json["text"]?.text,
      let hash = json["hash"]?.text.flatMap({ Base64.decode($0, .standard) })
    else { throw KeyBrokerError(.corrupted, "etcd: an audit entry that is not in its form") }
    return AuditEntry(sequence: Int64(clamping: sequence), text: text, hash: hash)
  }

  // MARK: Audit log

  /// Appends to the audit log.
  public func append(_ event: AuditEvent) async throws(KeyBrokerError) {
    _ = try await commit(when: [], then: [], audit: event)
  }

  /// The last audit entry, or nil where there is none.
  public func auditHead() async throws(KeyBrokerError) -> AuditEntry? {
    try await readHead().entry
  }

  /// Audit entries in order.
  public func auditEntries(
    from first: Int64, limit: Int
  ) async throws(KeyBrokerError) -> [AuditEntry] {
    let answer = try await range(
      EtcdMessage.range(
        auditKey(first), to: EtcdMessage.end(of: data + "audit/"), limit: min(limit, Self.pageMax))
    )
    var entries: [AuditEntry] = []
    for found in try EtcdMessage.entries(answer) { entries.append(try Self.entry(found.value)) }
    return entries
  }
}

/// Lets one task go on at a time, in the order in which they came.
private actor Turn {
  private var isTaken = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func take() async {
    guard isTaken else {
      isTaken = true
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  func give() {
    if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
  }
}
