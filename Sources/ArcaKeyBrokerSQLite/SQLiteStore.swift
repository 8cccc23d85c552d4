import ArcaKeyBroker
import Foundation
import GRDB

/// The embedded store: one SQLite database in WAL mode.
///
/// Every write is synchronous (`synchronous = FULL`), so what a call has returned from survives a
/// crash of the process and of the machine. Several processes may have it open.
public final class SQLiteStore: KeyBrokerStore {
  private let database: DatabasePool
  private let reader: DatabaseQueue
  private let commits: GroupCommit
  private let tally = SessionTally()

  /// Opens the database at `path`; makes it where there is none, if `creates`.
  ///
  /// A broker does not make one when it starts: a store that went missing is not an empty one.
  public init(path: String, creates: Bool = true) throws(KeyBrokerError) {
    guard creates || FileManager.default.fileExists(atPath: path) else {
      throw KeyBrokerError(
        .store, "\(path): no such store; make it with arca-kbs init, or restore a backup")
    }
    var configuration = Configuration()
    configuration.busyMode = .timeout(10)
    configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
    do {
      let database = try DatabasePool(path: path, configuration: configuration)
      try Self.migrator.migrate(database)
      self.database = database
      configuration.readonly = true
      reader = try DatabaseQueue(path: path, configuration: configuration)
      commits = GroupCommit(database) { [tally] in tally.forget() }
    } catch {
      throw KeyBrokerError(.store, "\(path): \(error)")
    }
  }

  /// Closes the database, whose write-ahead log is then merged into it.
  public func close() throws(KeyBrokerError) {
    do {
      // SQLite merges the log when it closes, but does not say where it could not.
      try database.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
      try reader.close()
      try database.close()
    } catch {
      throw KeyBrokerError(.store, "closing the database: \(error)")
    }
  }

  private static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1") { database in
      try database.execute(
        sql: """
          CREATE TABLE session (
            id TEXT PRIMARY KEY, nonce TEXT NOT NULL, tee TEXT NOT NULL, expires INTEGER NOT NULL,
            nonceTaken INTEGER NOT NULL DEFAULT 0, attestation BLOB) STRICT;
          CREATE INDEX sessionExpiry ON session (expires);
          CREATE TABLE released (
            session TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE, path TEXT NOT NULL,
            PRIMARY KEY (session, path)) STRICT;
          CREATE TABLE resource (
            path TEXT PRIMARY KEY, keyID TEXT NOT NULL, wrappedKey BLOB NOT NULL, box BLOB NOT NULL,
            updated INTEGER NOT NULL) STRICT;
          CREATE TABLE counter (path TEXT PRIMARY KEY, generation INTEGER NOT NULL) STRICT;
          CREATE TABLE policy (id INTEGER PRIMARY KEY CHECK (id = 1), record BLOB NOT NULL) STRICT;
          CREATE TABLE audit (
            sequence INTEGER PRIMARY KEY, text TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
          CREATE TRIGGER auditUpdate BEFORE UPDATE ON audit
            BEGIN SELECT RAISE (ABORT, 'the audit log is append-only'); END;
          CREATE TRIGGER auditDelete BEFORE DELETE ON audit
            BEGIN SELECT RAISE (ABORT, 'the audit log is append-only'); END;
          """)
    }
    return migrator
  }

  func write<Value: Sendable>(
    _ body: @escaping @Sendable (Database) throws -> Value
  ) async throws(KeyBrokerError) -> Value {
    do {
      return try await commits.write(body)
    } catch let error as KeyBrokerError {
      throw error
    } catch {
      throw KeyBrokerError(.store, "SQLite: \(error)")
    }
  }

  // Reading waits for nobody in WAL mode, so it is not worth a change of threads. One statement
  // sees one state of the database without a transaction of its own, and one connection serves
  // them all: it costs less than what a pool of them does for each.
  func find<Value>(
    _ body: (Database) throws -> Value
  ) throws(KeyBrokerError) -> Value {
    do {
      return try reader.unsafeRead(body)
    } catch let error as KeyBrokerError {
      throw error
    } catch {
      throw KeyBrokerError(.store, "SQLite: \(error)")
    }
  }

  /// Executes a statement that is compiled once.
  static func execute(
    _ sql: String, _ arguments: StatementArguments, _ database: Database
  ) throws {
    try database.cachedStatement(sql: sql).execute(arguments: arguments)
  }

  /// What several statements see of one state of the database.
  func read<Value>(
    _ body: (Database) throws -> Value
  ) throws(KeyBrokerError) -> Value {
    do {
      return try database.read(body)
    } catch let error as KeyBrokerError {
      throw error
    } catch {
      throw KeyBrokerError(.store, "SQLite: \(error)")
    }
  }
}

// MARK: - Sessions

extension SQLiteStore {
  /// Adds a session; one transaction with dropping those that are over.
  public func open(
    _ session: SessionRecord, limit: Int, now: Int64
  ) async throws(KeyBrokerError) {
    try await write { [tally] database in
      let before = try tally.count(database)
      try Self.execute("DELETE FROM session WHERE expires <= ?", [now], database)
      let count = before - database.changesCount
      guard count < limit else {
        throw KeyBrokerError(.tooManySessions, "\(count) sessions are open; try again later")
      }
      try Self.execute(
        "INSERT INTO session (id, nonce, tee, expires) VALUES (?, ?, ?, ?)",
        [session.id, session.nonce, session.tee.rawValue, session.expires], database)
      tally.changed(to: count + 1)
    }
  }

  /// The session, or nil.
  public func session(_ id: String) async throws(KeyBrokerError) -> SessionRecord? {
    try find { database in
      let statement = try database.cachedStatement(
        sql: "SELECT nonce, tee, expires, nonceTaken, attestation FROM session WHERE id = ?")
      guard let row = try Row.fetchOne(statement, arguments: [id]) else { return nil }
      guard let tee = AttesterKind(rawValue: row["tee"]) else {
        throw KeyBrokerError(.corrupted, "session \(id): tee")
      }
      let attestation: Data? = row["attestation"]
      return SessionRecord(
        id: id, nonce: row["nonce"], tee: tee, expires: row["expires"],
        isNonceTaken: row["nonceTaken"], attestation: attestation.map { Array($0) })
    }
  }

  /// Takes the nonce and stores the attestation by one conditional update.
  public func attest(
    session id: String, with attestation: [UInt8], audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    let record = Data(attestation)
    return try await write { database in
      try Self.execute(
        "UPDATE session SET nonceTaken = 1, attestation = ? WHERE id = ? AND nonceTaken = 0",
        [record, id], database)
      guard database.changesCount == 1 else {
        let statement = try database.cachedStatement(sql: "SELECT 1 FROM session WHERE id = ?")
        guard try Int.fetchOne(statement, arguments: [id]) == nil else { return false }
        throw KeyBrokerError(.expiredSession, "the session ended while it was being attested")
      }
      try Self.append(audit, database)
      return true
    }
  }

  /// Takes the nonce, where it was not taken before.
  public func refuse(session id: String, audit: AuditEvent) async throws(KeyBrokerError) {
    try await write { database in
      try Self.execute("UPDATE session SET nonceTaken = 1 WHERE id = ?", [id], database)
      try Self.append(audit, database)
    }
  }

  /// Records the release; the primary key refuses a second one.
  public func release(
    _ path: ResourcePath, toSession id: String, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    try await write { database in
      try Self.execute(
        "INSERT OR IGNORE INTO released (session, path) VALUES (?, ?)", [id, path.description],
        database)
      guard database.changesCount == 1 else { return false }
      try Self.append(audit, database)
      return true
    }
  }
}

// MARK: - Resources

extension SQLiteStore {
  /// The sealed resource, or nil.
  public func resource(_ path: ResourcePath) async throws(KeyBrokerError) -> SealedResource? {
    try find { database in
      let statement = try database.cachedStatement(sql: "SELECT * FROM resource WHERE path = ?")
      return try Row.fetchOne(statement, arguments: [path.description]).map(Self.resource)
    }
  }

  /// Every resource without its content, by path.
  public func resources() async throws(KeyBrokerError) -> [ResourceSummary] {
    try read { database in
      try Row.fetchAll(
        database,
        sql: "SELECT path, keyID, length(box) - 28 AS size, updated FROM resource ORDER BY path"
      ).map { row in
        ResourceSummary(
          path: try ResourcePath(row["path"]), size: row["size"], keyID: row["keyID"],
          updated: row["updated"])
      }
    }
  }

  /// Stores a resource in place of the one at its path.
  public func put(_ resource: SealedResource, audit: AuditEvent) async throws(KeyBrokerError) {
    try await write { database in
      try Self.put(resource, database)
      try Self.append(audit, database)
    }
  }

  /// Removes a resource.
  public func delete(
    _ path: ResourcePath, audit: AuditEvent
  ) async throws(KeyBrokerError) -> Bool {
    try await write { database in
      try database.execute(
        sql: "DELETE FROM resource WHERE path = ?", arguments: [path.description])
      let existed = database.changesCount == 1
      try Self.append(audit, database)
      return existed
    }
  }

  /// Rewraps every resource's key in one transaction.
  public func rewrap(
    audit: AuditEvent,
    _ rewrap: @escaping @Sendable (SealedResource) throws(KeyBrokerError) -> SealedResource
  ) async throws(KeyBrokerError) {
    try await write { database in
      for row in try Row.fetchAll(database, sql: "SELECT * FROM resource") {
        try Self.put(try rewrap(try Self.resource(row)), database)
      }
      try Self.append(audit, database)
    }
  }

  static func resource(_ row: Row) throws -> SealedResource {
    let (wrappedKey, box): (Data, Data) = (row["wrappedKey"], row["box"])
    return SealedResource(
      path: try ResourcePath(row["path"]), keyID: row["keyID"], wrappedKey: Array(wrappedKey),
      box: Array(box), updated: row["updated"])
  }

  static func put(_ resource: SealedResource, _ database: Database) throws {
    try database.execute(
      sql: "INSERT OR REPLACE INTO resource (path, keyID, wrappedKey, box, updated) "
        + "VALUES (?, ?, ?, ?, ?)",
      arguments: [
        resource.path.description, resource.keyID, Data(resource.wrappedKey), Data(resource.box),
        resource.updated,
      ])
  }
}
