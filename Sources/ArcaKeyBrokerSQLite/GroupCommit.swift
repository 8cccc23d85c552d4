import ArcaKeyBroker
import GRDB
import Synchronization

/// Carries writes out in the order in which they came, those that wait at one time in one
/// transaction.
///
/// Bringing a transaction to the disk takes longer than all else about it, so what arrives
/// meanwhile shares the next one. A write is acknowledged only after the transaction that holds it
/// is on disk, and one that fails is undone alone.
final class GroupCommit: Sendable {
  /// Writes of one transaction at most.
  static let writesMax = 64

  private struct Write: Sendable {
    /// Carries the write out and keeps its result.
    let carryOut: @Sendable (Database) throws -> Void
    /// Tells the caller the result or, where the write did not take place, why.
    let acknowledge: @Sendable ((any Error)?) -> Void
  }

  private struct Queue {
    var waiting: [Write] = []
    var isServed = false
  }

  private let database: DatabasePool
  private let undone: @Sendable () -> Void
  private let queue = Mutex(Queue())

  /// Writes to `database`; `undone` is told where a transaction did not take place, of which some
  /// writes had been carried out.
  init(_ database: DatabasePool, undone: @escaping @Sendable () -> Void) {
    self.database = database
    self.undone = undone
  }

  /// Carries `body` out, and returns when its transaction is on disk.
  func write<Value: Sendable>(
    _ body: @escaping @Sendable (Database) throws -> Value
  ) async throws -> Value {
    let result = Mutex<Value?>(nil)
    return try await withCheckedThrowingContinuation { continuation in
      add(
        Write(
          carryOut: { database in
            let value = try body(database)
            result.withLock { $0 = value }
          },
          acknowledge: { fault in
            let missing = KeyBrokerError(.store, "SQLite: a write without a result")
            switch (fault, result.withLock { $0 }) {
            case (nil, .some(let value)): continuation.resume(returning: value)
            case (let fault, _): continuation.resume(throwing: fault ?? missing)
            }
          }))
    }
  }

  private func add(_ write: Write) {
    let isServed = queue.withLock { queue in
      queue.waiting.append(write)
      defer { queue.isServed = true }
      return queue.isServed
    }
    if !isServed { database.asyncWriteWithoutTransaction { self.serve($0) } }
  }

  private func serve(_ database: Database) {
    while let group = next() { commit(group, database) }
  }

  private func next() -> [Write]? {
    queue.withLock { queue in
      guard !queue.waiting.isEmpty else {
        queue.isServed = false
        return nil
      }
      let group = Array(queue.waiting.prefix(Self.writesMax))
      queue.waiting.removeFirst(group.count)
      return group
    }
  }

  private func commit(_ group: [Write], _ database: Database) {
    var faults = [(any Error)?](repeating: nil, count: group.count)
    var isChanged = false
    do {
      try Self.execute("BEGIN IMMEDIATE TRANSACTION", database)
      for (index, write) in group.enumerated() {
        faults[index] = try Self.carryOut(write, isAlone: group.count == 1, database)
        isChanged = isChanged || faults[index] == nil
      }
      try Self.execute("COMMIT TRANSACTION", database)
    } catch {
      if database.isInsideTransaction { try? database.rollback() }
      if isChanged { undone() }
      for index in group.indices { faults[index] = faults[index] ?? error }
    }
    for (write, fault) in zip(group, faults) { write.acknowledge(fault) }
  }

  /// Carries one write of a transaction out, and says why it was undone where it was.
  ///
  /// Throws where the whole transaction is to be undone.
  private static func carryOut(
    _ write: Write, isAlone: Bool, _ database: Database
  ) throws -> (any Error)? {
    guard !isAlone else {
      try write.carryOut(database)
      return nil
    }
    try execute("SAVEPOINT one", database)
    do {
      try write.carryOut(database)
      try execute("RELEASE SAVEPOINT one", database)
      return nil
    } catch {
      // A full disk and the like end the whole transaction.
      guard database.isInsideTransaction else { throw error }
      try execute("ROLLBACK TRANSACTION TO SAVEPOINT one", database)
      try execute("RELEASE SAVEPOINT one", database)
      return error
    }
  }

  private static func execute(_ sql: String, _ database: Database) throws {
    try database.cachedStatement(sql: sql).execute()
  }
}
