import GRDB
import Synchronization

/// How many sessions the database has, so that opening one does not count them all.
///
/// The number is known as long as no other process has changed the database, which SQLite tells
/// (`PRAGMA data_version`).
final class SessionTally: Sendable {
  private struct Known {
    var count: Int
    let dataVersion: Int64
  }

  private let known = Mutex<Known?>(nil)

  /// The number of sessions; to be called in a transaction that writes, before it changes any.
  func count(_ database: Database) throws -> Int {
    let statement = try database.cachedStatement(sql: "PRAGMA data_version")
    let version = try Int64.fetchOne(statement) ?? 0
    if let known = known.withLock({ $0 }), known.dataVersion == version { return known.count }
    let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM session") ?? 0
    known.withLock { $0 = Known(count: count, dataVersion: version) }
    return count
  }

  /// Says what the number is now; to be called last in a write, since one that fails before is
  /// undone and leaves the number as it was.
  func changed(to count: Int) { known.withLock { $0?.count = count } }

  /// Forgets the number, where a transaction was undone that had changed it.
  func forget() { known.withLock { $0 = nil } }
}
