import ArcaKeyBroker
import ArcaKeyBrokerSQLite
import Foundation
import GRDB
import Testing

/// Writes that share a transaction: each counts by itself, and none before it is on disk.
@Suite struct GroupCommitTests {
  /// A store, and another connection to its database that can keep it from writing.
  static func store() throws -> (store: SQLiteStore, path: String) {
    let path = NSTemporaryDirectory() + "/arca-store-\(UUID().uuidString).db"
    return (try SQLiteStore(path: path), path)
  }

  @Test func aWriteThatFailsIsUndoneAlone() async throws {
    let (store, path) = try Self.store()
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: path, configuration: configuration)
    for index in 0..<3 {
      try await store.open(StoreContractTests.session(index), limit: 9, now: 1)
    }
    // What comes while another process writes is one group after it.
    let outcomes = try await withThrowingTaskGroup(of: (Int, KeyBrokerError.Code?, Bool?).self) {
      group in
      try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
      for index in 0..<24 {
        group.addTask {
          var isFirst: Bool?
          // Sessions 0 to 2 exist, 3 to 5 do not.
          let code = await refusal {
            isFirst = try await store.attest(
              session: StoreContractTests.session(index % 6).id, with: [UInt8(index)],
              audit: StoreContractTests.event(UInt64(index)))
          }
          return (index, code, isFirst)
        }
      }
      try await Task.sleep(for: .milliseconds(300))
      try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    for (index, code, isFirst) in outcomes {
      #expect(code == (index % 6 < 3 ? nil : .expiredSession), "write \(index)")
      #expect((isFirst != nil) == (index % 6 < 3), "write \(index)")
    }
    #expect(outcomes.count { $0.2 == true } == 3)
    let log = try await store.auditEntries(from: 1, limit: 100)
    #expect(try await AuditChain.verify(store).count == 3)
    // Each acknowledged attestation is the one that the log has.
    for (index, _, isFirst) in outcomes where isFirst == true {
      let session = try await store.session(StoreContractTests.session(index % 6).id)
      #expect(session?.attestation == [UInt8(index)])
      #expect(log.contains { $0.text.contains("\"number\":\(index)}") })
    }
  }

  @Test func aTransactionThatCannotBeCommittedIsAcknowledgedToNobody() async throws {
    let (store, path) = try Self.store()
    try await store.open(StoreContractTests.session(1), limit: 2, now: 1)
    let intruder = try DatabaseQueue(path: path)
    try await intruder.write { database in
      // Fails at the end of a transaction that holds such an entry, after every write succeeded.
      try database.execute(
        sql: """
          CREATE TABLE absent (id TEXT PRIMARY KEY);
          CREATE TABLE demand (id TEXT REFERENCES absent (id) DEFERRABLE INITIALLY DEFERRED);
          CREATE TRIGGER poison AFTER INSERT ON audit WHEN NEW.text LIKE '%"number":7}%'
            BEGIN INSERT INTO demand VALUES ('none'); END;
          """)
    }
    #expect(
      await refusal { try await store.append(StoreContractTests.event(7)) } == .store)
    #expect(try await store.auditHead() == nil)
    // The number of sessions is what the database has.
    try await store.open(StoreContractTests.session(2), limit: 2, now: 1)
    #expect(
      await refusal {
        try await store.open(StoreContractTests.session(3), limit: 2, now: 1)
      } == .tooManySessions)
    try await store.append(StoreContractTests.event(8))
    #expect(try await AuditChain.verify(store).count == 1)
  }

  @Test func sessionsOfAnotherProcessCount() async throws {
    let (store, path) = try Self.store()
    let other = try SQLiteStore(path: path)
    try await store.open(StoreContractTests.session(1), limit: 3, now: 1)
    try await store.open(StoreContractTests.session(2), limit: 3, now: 1)
    try await other.open(StoreContractTests.session(3), limit: 3, now: 1)
    #expect(
      await refusal {
        try await store.open(StoreContractTests.session(4), limit: 3, now: 1)
      } == .tooManySessions)
    // All of them are over, and one place after the other is free again.
    for index in 5..<8 {
      try await store.open(StoreContractTests.session(index, expires: 500), limit: 3, now: 100)
    }
    #expect(
      await refusal {
        try await other.open(StoreContractTests.session(8, expires: 500), limit: 3, now: 100)
      } == .tooManySessions)
  }
}
