import ArcaImage
import ArcaTEE
import Foundation

/// One container, as its folder tells.
public struct Container: Sendable {
  /// What was written down when it was made.
  public let record: ContainerRecord
  let folder: String
  /// The descriptor of the lock, where this process looks after the container.
  let lock: Int32?
  /// What keeps the container's volumes from others, where this process looks after it.
  var volumes: [FileLock] = []

  init(record: ContainerRecord, folder: String, lock: Int32) {
    self.record = record
    self.folder = folder
    self.lock = lock
  }

  /// The container in `folder`, or nil where there is no whole one.
  init?(folder: String, lock: Int32? = nil) {
    guard let bytes = try? System.contents(folder + "/record", max: 1 << 20),
      let record = try? ContainerRecord(decoding: bytes)
    else { return nil }
    self.record = record
    self.folder = folder
    self.lock = lock
  }

  /// How it stands for users.
  public enum State: String, Sendable {
    /// The guest boots.
    case starting
    /// The workload runs.
    case running
    /// It has ended, or has been removed since.
    case exited
  }

  /// How it stands now.
  public var state: State {
    if result != nil || !isAccessible(folder + "/record", F_OK) { return .exited }
    return status?.state == .running ? .running : .starting
  }

  /// What the launcher has last said.
  public var status: LaunchStatus? { Self.status(at: folder + "/run/status") }

  /// How it ended, once it has.
  public var result: LaunchStatus? { Self.status(at: folder + "/result") }

  private static func status(at path: String) -> LaunchStatus? {
    guard let bytes = try? System.contents(path, max: 1 << 16) else { return nil }
    return try? LaunchStatus(decoding: bytes)
  }

  /// The process that looks after it, where there is one.
  public var supervisor: Int32? {
    guard result == nil, let bytes = try? System.contents(folder + "/supervisor", max: 32) else {
      return nil
    }
    return Int32(String(decoding: bytes, as: UTF8.self))
  }

  /// The files that take the output of a detached container.
  public var logs: (output: String, error: String) {
    (folder + "/stdout.log", folder + "/stderr.log")
  }

  /// What the platform measured of a SEV guest that waits for its owner.
  public func sevLaunch() throws(RuntimeError) -> SEVLaunchRecord {
    do {
      let path = folder + "/run/" + SEVLaunchControl.recordName
      return try SEVLaunchRecord(decoding: try System.contents(path, max: 1 << 12))
    } catch {
      throw RuntimeError(
        .notRunning,
        "container \(record.name): no launch measurement (\(describe(error))); expected one of "
          + "kind sev-es or sev, run with --session, that waits for its owner")
    }
  }

  /// Hands the owner's packet to a SEV guest that waits for it.
  public func inject(_ packet: SEVSecretPacket) throws(RuntimeError) {
    _ = try sevLaunch()
    do {
      let path = folder + "/run/" + SEVLaunchControl.packetName
      try System.replace(path, with: packet.encoded())
    } catch {
      throw RuntimeError(error)
    }
  }

  func finish(_ status: LaunchStatus) throws(RuntimeError) {
    do {
      try System.replace(folder + "/result", with: status.encoded())
    } catch {
      throw RuntimeError(error)
    }
  }

  func removeFolder() throws(RuntimeError) {
    // Renamed first, so that nobody sees a half-removed one; what is left of it is swept.
    let doomed =
      URL(fileURLWithPath: folder).deletingLastPathComponent().path
      + "/.old-\(record.id)"
    do throws(RuntimeError) {
      try renameFile(folder, doomed)
    } catch {
      if isAccessible(folder, F_OK) { throw error }
    }
    try? FileManager.default.removeItem(atPath: doomed)
  }
}
