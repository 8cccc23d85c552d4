import ArcaBytes
import Crypto
import Foundation
import Synchronization

/// A backup of a store, as lines of JSON.
///
/// The first is a heading, the last one has the number of records and the SHA-256 of all lines
/// before it. Resources stay sealed; master keys are not in it.
public struct BackupFile: Sendable {
  /// What a backup holds, once all of it has been checked.
  public struct Summary: Sendable {
    /// Records in all.
    public let records: Int
    /// The audit log's chain.
    public let audit: AuditChain
  }

  /// The first line.
  static let heading = #"{"format":"arca-kbs backup","version":1}"#

  /// Path of the file.
  public let path: String

  /// Names the file.
  public init(path: String) {
    self.path = path
  }

  /// Writes the records of `store` to a new file; the whole of it is on disk under its name, or
  /// nothing is.
  public func write(_ store: any KeyBrokerStore) async throws(KeyBrokerError) -> Summary {
    guard !FileManager.default.fileExists(atPath: path) else {
      throw KeyBrokerError(.store, "\(path): exists already and is not replaced")
    }
    let temporary = path + ".new"
    do {
      let sink = try BackupSink(path: temporary)
      try await store.snapshot { record throws(KeyBrokerError) in
        try sink.write(record.json.compact)
      }
      try sink.finish()
      let summary = try BackupFile(path: temporary).check()
      try PrivateFile.publish(temporary, as: path)
      return summary
    } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      throw error as? KeyBrokerError
        ?? KeyBrokerError(.store, "\(path): cannot be written: \(error)")
    }
  }

  /// Reads all of the file and checks its digest, each record and the audit log's chain.
  public func check() throws(KeyBrokerError) -> Summary {
    let source = try BackupSource(path: path)
    var (count, chain) = (0, AuditChain())
    while let record = try source.next() {
      count += 1
      if case .audit(let entry) = record { try chain.check(entry) }
    }
    return Summary(records: count, audit: chain)
  }

  /// Fills `store`, which holds nothing, from the file, whose check has to have passed.
  public func restore(
    into store: any KeyBrokerStore
  ) async throws(KeyBrokerError) {
    let source = try BackupSource(path: path)
    try await store.fill { () throws(KeyBrokerError) in try source.next() }
  }
}

/// Writes lines and hashes them.
private final class BackupSink: Sendable {
  private let path: String
  private let handle: FileHandle
  private let state: Mutex<(hash: SHA256, count: UInt64)>

  init(path: String) throws(KeyBrokerError) {
    self.path = path
    handle = try PrivateFile.create(path)
    state = Mutex((SHA256(), 0))
    try put(BackupFile.heading)
  }

  func write(_ line: String) throws(KeyBrokerError) {
    try put(line)
    state.withLock { $0.count += 1 }
  }

  func finish() throws(KeyBrokerError) {
    let (digest, count) = state.withLock { (Array($0.hash.finalize()), $0.count) }
    let end = StrictJSON.members(
      ("records", .number(count)), ("sha256", .string(Hex.encode(digest))))
    try put(end.compact)
    do {
      try handle.synchronize()
      try handle.close()
    } catch {
      throw KeyBrokerError(.store, "\(path): cannot be written: \(error)")
    }
  }

  private func put(_ line: String) throws(KeyBrokerError) {
    let bytes = Data((line + "\n").utf8)
    state.withLock { $0.hash.update(data: bytes) }
    do {
      try handle.write(contentsOf: bytes)
    } catch {
      throw KeyBrokerError(.store, "\(path): cannot be written: \(error)")
    }
  }
}

/// Reads lines, and compares number and digest at the end.
private final class BackupSource: Sendable {
  private struct State {
    var buffer = Data()
    // Where in the buffer the next line starts.
    var offset = 0
    var hash = SHA256()
    var count: UInt64 = 0
    var isDone = false
  }

  private let path: String
  private let handle: FileHandle
  private let state = Mutex(State())

  init(path: String) throws(KeyBrokerError) {
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw KeyBrokerError(.store, "\(path): cannot be read")
    }
    self.path = path
    self.handle = handle
    let line = try self.line()
    guard line == Data(BackupFile.heading.utf8) else {
      throw fault("not a backup of version 1")
    }
    state.withLock { $0.hash.update(data: line + Data([0x0A])) }
  }

  func next() throws(KeyBrokerError) -> StoreRecord? {
    guard !state.withLock({ $0.isDone }) else { return nil }
    let line = try self.line()
    let json = try StrictJSON(parsing: Array(line))
    if let records = json["records"]?.whole, let digest = json["sha256"]?.text {
      let (found, count) = state.withLock { (Array($0.hash.finalize()), $0.count) }
      guard count == records, Hex.encode(found) == digest else {
        throw fault("its records do not have the digest that it ends with")
      }
      state.withLock { $0.isDone = true }
      return nil
    }
    state.withLock {
      $0.hash.update(data: line + Data([0x0A]))
      $0.count += 1
    }
    return try StoreRecord(json)
  }

  private func line() throws(KeyBrokerError) -> Data {
    while true {
      let (line, pending) = state.withLock { state -> (Data?, Int) in
        guard let end = state.buffer[state.offset...].firstIndex(of: 0x0A) else {
          state.buffer = Data(state.buffer[state.offset...])
          state.offset = 0
          return (nil, state.buffer.count)
        }
        defer { state.offset = end + 1 }
        return (Data(state.buffer[state.offset..<end]), 0)
      }
      if let line { return line }
      guard pending <= StrictJSON.bytesMax else { throw fault("a line is too long") }
      let more: Data?
      do {
        more = try handle.read(upToCount: 1 << 18)
      } catch {
        throw fault("cannot be read: \(error)")
      }
      guard let more, !more.isEmpty else { throw fault("it ends early") }
      state.withLock { $0.buffer.append(more) }
    }
  }

  private func fault(_ what: String) -> KeyBrokerError {
    KeyBrokerError(.corrupted, "backup \(path): \(what)")
  }
}
