import ArcaKeyBroker

/// A broker's word that it serves from the store, which lapses when it is not renewed.
public struct EtcdReplica: Sendable {
  /// How long it holds without renewal, in seconds.
  public static let seconds: Int64 = 15

  let lease: String
}

// MARK: - Brokers that serve

extension EtcdStore {
  /// Says that the broker `name` serves from the store, so that no backup is restored over it.
  public func announce(_ name: String) async throws(KeyBrokerError) -> EtcdReplica {
    let granted = try await client.call(
      "/v3/lease/grant", .members(("TTL", .string("\(EtcdReplica.seconds)"))))
    guard let lease = granted["ID"]?.text else {
      throw KeyBrokerError(.store, "etcd: no lease was granted")
    }
    let answer = try await transaction(
      when: [EtcdMessage.isAbsent(restoringKey)],
      then: [
        EtcdMessage.put("\(prefix)/replica/\(name)", Array(lease.utf8), lease: lease)
      ])
    guard answer.succeeded else {
      throw KeyBrokerError(.restoring, "etcd \(prefix): a backup is being restored")
    }
    return EtcdReplica(lease: lease)
  }

  /// Renews the word; false where it has lapsed and must be given anew.
  public func renew(_ replica: EtcdReplica) async throws(KeyBrokerError) -> Bool {
    let answer = try await client.call(
      "/v3/lease/keepalive", .members(("ID", .string(replica.lease))))
    return (EtcdMessage.number(answer["result"]?["TTL"]) ?? 0) > 0
  }

  /// Takes the word back.
  public func withdraw(_ replica: EtcdReplica) async throws(KeyBrokerError) {
    _ = try await client.call("/v3/lease/revoke", .members(("ID", .string(replica.lease))))
  }
}

// MARK: - Backups

extension EtcdStore {
  private static let batchBytesMax = 512 << 10
  private static let batchMax = 40

  /// Reads every record but sessions as they are at one revision.
  public func snapshot(
    _ visit: @escaping @Sendable (StoreRecord) throws(KeyBrokerError) -> Void
  ) async throws(KeyBrokerError) {
    let now = try await range(EtcdMessage.range(data, to: data + "\0", countOnly: true))
    guard let revision = EtcdMessage.number(now["header"]?["revision"]) else {
      throw KeyBrokerError(.store, "etcd: an answer without a revision")
    }
    let policy = try EtcdMessage.entries(
      try await range(
        EtcdMessage.range(data + "policy", to: data + "policy\0", at: revision)))
    if let found = policy.first { try visit(.policy(found.value)) }
    try await scan(data + "resource/", at: revision) { entry throws(KeyBrokerError) in
      let path = try resourcePath(entry.key)
      let key = data + "box/\(path)"
      let boxes = try EtcdMessage.entries(
        try await range(EtcdMessage.range(key, to: key + "\0", at: revision)))
      guard let box = boxes.first else {
        throw KeyBrokerError(.corrupted, "etcd: resource \(path) has no content")
      }
      try visit(.resource(try Self.resource(entry.value, path, box: box.value).sealed))
    }
    try await scan(data + "counter/", at: revision) { entry throws(KeyBrokerError) in
      try visit(.counter(try counter(entry)))
    }
    try await scan(data + "audit/", at: revision) { entry throws(KeyBrokerError) in
      try visit(.audit(try Self.entry(entry.value)))
    }
  }

  /// Removes every record, where no broker serves from the store, and keeps it from being opened
  /// until it is filled.
  public func clear() async throws(KeyBrokerError) {
    let answer = try await transaction(
      when: [EtcdMessage.isEmpty(below: prefix + "/replica/")],
      then: [EtcdMessage.put(restoringKey, [0x31]), EtcdMessage.delete(below: data)])
    guard answer.succeeded else {
      throw KeyBrokerError(.store, "etcd \(prefix): brokers serve from it; stop them")
    }
  }

  /// Fills the store in many transactions, between a mark that keeps it from being opened.
  public func fill(
    _ next: @escaping @Sendable () throws(KeyBrokerError) -> StoreRecord?
  ) async throws(KeyBrokerError) {
    let answer = try await transaction(
      when: [
        EtcdMessage.isEmpty(below: data), EtcdMessage.isEmpty(below: prefix + "/replica/"),
      ], then: [EtcdMessage.put(restoringKey, [0x31])])
    guard answer.succeeded else {
      throw KeyBrokerError(.store, "etcd \(prefix): the store to be filled is not empty")
    }
    var (batch, bytes) = ([StrictJSON](), 0)
    var last: AuditEntry?
    while let record = try next() {
      if !batch.isEmpty, batch.count >= Self.batchMax || bytes + record.size > Self.batchBytesMax {
        _ = try await transaction(when: [], then: batch)
        (batch, bytes) = ([], 0)
      }
      bytes += record.size
      switch record {
      case .resource(let resource):
        batch += putting(resource)
      case .counter(let counter):
        batch.append(
          EtcdMessage.put(data + "counter/\(counter.path)", Array("\(counter.generation)".utf8)))
      case .policy(let record):
        batch.append(EtcdMessage.put(data + "policy", record))
      case .audit(let entry):
        batch.append(EtcdMessage.put(auditKey(entry.sequence), Self.record(entry)))
        last = entry
      }
    }
    if let last { batch.append(EtcdMessage.put(headKey, Self.record(last))) }
    _ = try await transaction(when: [], then: batch + [EtcdMessage.delete(restoringKey)])
  }
}

extension StoreRecord {
  // About how many bytes of a request it takes.
  fileprivate var size: Int {
    switch self {
    case .resource(let resource): resource.box.count + 1024
    case .counter: 1024
    case .policy(let record): record.count
    case .audit(let entry): entry.text.utf8.count + 1024
    }
  }
}
