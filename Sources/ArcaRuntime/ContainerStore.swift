import ArcaTEE
import Foundation

/// The containers of this machine, each a folder beneath the state folder.
///
/// Whoever looks after a container holds its folder's lock for as long as it lives, so a folder
/// whose lock is free belongs to one that has ended or was killed. Every command sweeps first.
public struct ContainerStore: Sendable {
  let installation: Installation
  private var base: String { installation.state + "/containers" }

  /// Opens the store beneath `installation.state` and sweeps what killed processes left.
  public init(_ installation: Installation) throws(RuntimeError) {
    self.installation = installation
    try makeFolder(installation.state + "/containers")
    try sweep()
  }

  /// Makes a container's folder, with its lock held.
  func create(_ record: ContainerRecord) throws(RuntimeError) -> Container {
    guard Self.isName(record.name) else {
      throw RuntimeError(
        .name, "name \(record.name): expected letters, digits, '_', '.' and '-', at most 64")
    }
    let guardLock = try lockFile(installation.state + "/lock")
    defer { close(guardLock) }
    if let other = list().first(where: { $0.record.name == record.name }) {
      throw RuntimeError(
        .name,
        "name \(record.name): taken by container \(other.record.id); remove it (arca rm "
          + "\(record.name)) or choose another")
    }
    let temporary = "\(base)/.new-\(record.id)"
    do {
      try makeFolder(temporary + "/job")
      try makeFolder(temporary + "/run")
      let lock = try lockFile(temporary + "/lock")
      try System.replace(temporary + "/record", with: record.encoded())
      try renameFile(temporary, "\(base)/\(record.id)")
      return Container(record: record, folder: "\(base)/\(record.id)", lock: lock)
    } catch let error as TEEError {
      throw RuntimeError(error)
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(error)")
    }
  }

  private static func isName(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count)
      && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_.-".contains($0)) }
      && !name.hasPrefix(".") && !name.hasPrefix("-")
  }

  /// Every container, oldest first.
  public func list() -> [Container] {
    System.names(in: base).compactMap { name in
      name.hasPrefix(".") ? nil : Container(folder: "\(base)/\(name)")
    }.sorted { ($0.record.createdSeconds, $0.record.id) < ($1.record.createdSeconds, $1.record.id) }
  }

  /// The container with that name, id, or unambiguous start of an id.
  public func find(_ name: String) throws(RuntimeError) -> Container {
    let all = list()
    if let exact = all.first(where: { $0.record.name == name || $0.record.id == name }) {
      return exact
    }
    let matches = name.isEmpty ? [] : all.filter { $0.record.id.hasPrefix(name) }
    guard let only = matches.first, matches.count == 1 else {
      throw RuntimeError(
        .notFound,
        "container \(name): \(matches.isEmpty ? "not found" : "several ids begin so"); "
          + "`arca ps -a` lists them")
    }
    return only
  }

  /// Ends what is left of containers that nobody looks after any more.
  func sweep() throws(RuntimeError) {
    try sweepUnfinished()
    for name in System.names(in: base) where !name.hasPrefix(".new-") {
      let folder = "\(base)/\(name)"
      guard let lock = try? tryLockFile(folder + "/lock") else { continue }
      defer { close(lock) }
      // The folder may have been renamed or removed between listing and locking it.
      guard isSameFile(lock, folder + "/lock") else { continue }
      guard !name.hasPrefix("."), isAccessible(folder + "/record", F_OK) else {
        try? FileManager.default.removeItem(atPath: folder)
        continue
      }
      // One that cannot be read now may be read later, and be ended then.
      guard let container = Container(folder: folder) else { continue }
      if container.result == nil {
        try OCIRuntime(installation).remove(container.record.id)
        var status = container.status ?? LaunchStatus()
        if status.state != .exited, status.state != .failed {
          status.state = .failed
          status.exitStatus = 125
          status.error = TEEError(
            .supervisorGone, "the arca that watched over the container was killed")
        }
        try container.finish(status)
      }
      if container.record.isRemoved { try? container.removeFolder() }
    }
  }

  /// Removes what killed processes left of containers that they were making.
  private func sweepUnfinished() throws(RuntimeError) {
    let names = System.names(in: base).filter { $0.hasPrefix(".new-") }
    // Who makes a container holds this lock first, and the one of its folder only later.
    guard !names.isEmpty, let lock = try tryLockFile(installation.state + "/lock") else { return }
    defer { close(lock) }
    for name in names { try? FileManager.default.removeItem(atPath: "\(base)/\(name)") }
  }

  /// Removes a container that does not run; one that has gone since is fine.
  public func remove(_ container: Container) throws(RuntimeError) {
    guard isAccessible(container.folder + "/record", F_OK) else { return }
    guard let lock = try tryLockFile(container.folder + "/lock") else {
      throw RuntimeError(
        .running, "container \(container.record.name): it runs; stop it first, or use --force")
    }
    defer { close(lock) }
    try container.removeFolder()
  }
}
