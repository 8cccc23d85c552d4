import ArcaBytes
import ArcaKeyBroker
import ArcaKeyBrokerEtcd
import ArcaKeyBrokerSQLite
import ArgumentParser
import Foundation

/// `arca-kbs backup`: a consistent copy of the store.
struct BackupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Copy the store to a file while it is in use.",
    discussion: """
      Resources stay encrypted in the copy; keep master keys apart from it. Sessions are not in it.
      """)

  @OptionGroup var option: FolderOption
  @Argument(help: "The file to make.") var file: String

  func run() async throws {
    let store = try await option.store()
    try await store.append(Self.event("backup"))
    let copied = try await BackupFile(path: file).write(store)
    print("copied \(copied.text)")
  }

  static func event(_ call: String) -> AuditEvent {
    AuditEvent(
      .backup, at: Int64(Date().timeIntervalSince1970),
      [.init("call", .string(call)), .init("by", .string(FolderOption.localName))])
  }
}

/// `arca-kbs restore`: a backup in place of the store.
struct RestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Put a backup in place of the store, once all of it has been checked.",
    discussion: """
      No broker may be running. Generation counters go back to what they were at the backup, so
      that volumes which advanced since then are refused until their counters are removed.
      """)

  @OptionGroup var option: FolderOption
  @Argument(help: "The backup.") var file: String
  @Flag(
    help: "Give up what the store holds; an embedded store's database stays as broker.db.old.")
  var replace = false

  func run() async throws {
    let backup = BackupFile(path: file)
    let summary = try backup.check()
    if let service = try option.readConfiguration().etcd {
      let store = try EtcdStore(restoring: service)
      if replace { try await store.clear() }
      try await backup.restore(into: store)
      try await store.append(BackupCommand.event("restore"))
    } else {
      try await restoreDatabase(backup)
    }
    print("restored \(summary.text)")
  }

  // A new database is filled beside the one in place and then takes its name. Broken off before
  // that, nothing has changed; broken off within it, no database is there, brokers refuse to start,
  // and the command can be run again.
  private func restoreDatabase(_ backup: BackupFile) async throws {
    let folder = option.folder
    try FolderLock.hold(folder.lock, exclusively: true)
    let (current, new) = (folder.database, folder.database + ".new")
    guard replace || !FileManager.default.fileExists(atPath: current) else {
      throw CommandError("\(current): holds a store; give it up with --replace")
    }
    let parts = ["", "-wal", "-shm"]
    for part in parts { try? FileManager.default.removeItem(atPath: new + part) }
    do {
      let store = try SQLiteStore(path: new)
      try await backup.restore(into: store)
      try await store.append(BackupCommand.event("restore"))
      try store.close()
    } catch {
      for part in parts { try? FileManager.default.removeItem(atPath: new + part) }
      throw error
    }
    if FileManager.default.fileExists(atPath: current) {
      for part in parts { try? FileManager.default.removeItem(atPath: current + ".old" + part) }
    }
    for part in parts where FileManager.default.fileExists(atPath: current + part) {
      try FileManager.default.moveItem(atPath: current + part, toPath: current + ".old" + part)
    }
    try FileManager.default.moveItem(atPath: new, toPath: current)
    try FolderLock.synchronize(folder: folder.path)
  }
}

extension BackupFile.Summary {
  /// How much it holds, for people.
  var text: String {
    "\(records) records; audit log of \(audit.count) entries, head \(Hex.encode(audit.head))"
  }
}
