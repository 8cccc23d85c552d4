import ArcaKeyBroker
import Foundation
import GRDB

// MARK: - Generation counters

extension SQLiteStore {
  /// The counter, 0 where there is no row.
  public func generation(_ path: ResourcePath) async throws(KeyBrokerError) -> UInt64 {
    try read { try Self.generation(path, $0) }
  }

  /// Compares and sets in one transaction.
  public func advance(
    _ path: ResourcePath, from expected: UInt64, to next: UInt64, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    try await write { database in
      guard try Self.generation(path, database) == expected else { return false }
      try Self.set(path, to: next, database)
      try Self.append(audit, database)
      return true
    }
  }

  /// Every counter that was advanced, by path.
  public func generations() async throws(KeyBrokerError) -> [GenerationCounter] {
    try read { database in
      try Row.fetchAll(database, sql: "SELECT * FROM counter ORDER BY path").map(Self.counter)
    }
  }

  /// Removes a counter.
  public func removeGeneration(
    _ path: ResourcePath, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    try await write { database in
      try database.execute(sql: "DELETE FROM counter WHERE path = ?", arguments: [path.description])
      let existed = database.changesCount == 1
      try Self.append(audit, database)
      return existed
    }
  }

  private static func set(
    _ path: ResourcePath, to generation: UInt64, _ database: Database
  ) throws {
    try database.execute(
      sql: "INSERT OR REPLACE INTO counter (path, generation) VALUES (?, ?)",
      arguments: [path.description, Int64(clamping: generation)])
  }

  private static func counter(_ row: Row) throws -> GenerationCounter {
    let generation: Int64 = row["generation"]
    return GenerationCounter(
      path: try ResourcePath(row["path"]), generation: UInt64(clamping: generation))
  }

  private static func generation(_ path: ResourcePath, _ database: Database) throws -> UInt64 {
    UInt64(
      clamping: try Int64.fetchOne(
        database, sql: "SELECT generation FROM counter WHERE path = ?",
        arguments: [path.description]) ?? 0)
  }
}

// MARK: - Audit log

extension SQLiteStore {
  /// Appends to the audit log.
  public func append(_ event: AuditEvent) async throws(KeyBrokerError) {
    try await write { try Self.append(event, $0) }
  }

  /// The last audit entry, or nil where there is none.
  public func auditHead() async throws(KeyBrokerError) -> AuditEntry? {
    try read(Self.head)
  }

  /// Audit entries in order.
  public func auditEntries(
    from first: Int64, limit: Int
  ) async throws(KeyBrokerError) -> [AuditEntry] {
    try read { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM audit WHERE sequence >= ? ORDER BY sequence LIMIT ?",
        arguments: [first, limit]
      ).map(Self.entry)
    }
  }

  static func append(_ event: AuditEvent, _ database: Database) throws {
    try insert(AuditEntry(event, after: try head(database)), database)
  }

  private static func insert(_ entry: AuditEntry, _ database: Database) throws {
    try execute(
      "INSERT INTO audit (sequence, text, hash) VALUES (?, ?, ?)",
      [entry.sequence, entry.text, Data(entry.hash)], database)
  }

  private static func head(_ database: Database) throws -> AuditEntry? {
    let statement = try database.cachedStatement(
      sql: "SELECT * FROM audit ORDER BY sequence DESC LIMIT 1")
    return try Row.fetchOne(statement).map(entry)
  }

  private static func entry(_ row: Row) -> AuditEntry {
    let hash: Data = row["hash"]
    return AuditEntry(sequence: row["sequence"], text: row["text"], hash: Array(hash))
  }
}

// MARK: - Policy

extension SQLiteStore {
  /// The policy in force, or nil.
  public func policy() async throws(KeyBrokerError) -> [UInt8]? {
    try find { database in
      let statement = try database.cachedStatement(sql: "SELECT record FROM policy")
      return try Data.fetchOne(statement).map { Array($0) }
    }
  }

  /// Puts a policy in place of the one in force.
  public func install(policy record: [UInt8], audit: AuditEvent) async throws(KeyBrokerError) {
    try await write { database in
      try Self.install(record, database)
      try Self.append(audit, database)
    }
  }

  private static func install(_ record: [UInt8], _ database: Database) throws {
    try database.execute(
      sql: "INSERT OR REPLACE INTO policy (id, record) VALUES (1, ?)", arguments: [Data(record)])
  }
}

// MARK: - Backups

extension SQLiteStore {
  /// Reads every record but sessions in one transaction.
  public func snapshot(
    _ visit: @escaping @Sendable (StoreRecord) throws(KeyBrokerError) -> Void
  ) async throws(KeyBrokerError) {
    try read { database in
      if let record = try Data.fetchOne(database, sql: "SELECT record FROM policy") {
        try visit(.policy(Array(record)))
      }
      let resources = try Row.fetchCursor(database, sql: "SELECT * FROM resource ORDER BY path")
      while let row = try resources.next() { try visit(.resource(try Self.resource(row))) }
      let counters = try Row.fetchCursor(database, sql: "SELECT * FROM counter ORDER BY path")
      while let row = try counters.next() { try visit(.counter(try Self.counter(row))) }
      let entries = try Row.fetchCursor(database, sql: "SELECT * FROM audit ORDER BY sequence")
      while let row = try entries.next() { try visit(.audit(Self.entry(row))) }
    }
  }

  /// Fills an empty database in one transaction.
  public func fill(
    _ next: @escaping @Sendable () throws(KeyBrokerError) -> StoreRecord?
  ) async throws(KeyBrokerError) {
    try await write { database in
      for table in ["session", "resource", "counter", "policy", "audit"]
      where try Int.fetchOne(database, sql: "SELECT 1 FROM \(table) LIMIT 1") != nil {
        throw KeyBrokerError(.store, "the store to be filled is not empty")
      }
      while let record = try next() {
        switch record {
        case .resource(let resource): try Self.put(resource, database)
        case .counter(let counter):
          try Self.set(counter.path, to: counter.generation, database)
        case .policy(let record): try Self.install(record, database)
        case .audit(let entry): try Self.insert(entry, database)
        }
      }
    }
  }
}
