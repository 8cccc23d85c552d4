import ArcaImage
import ArcaManifest
import ArcaTEE
import Foundation

/// The volumes of this machine: disks that guests encrypt, each in a folder of its own.
///
/// A volume's folder is locked by whoever looks after the container that uses it. What is in the
/// disk only the guest and its key broker can tell.
public struct VolumeStore: Sendable {
  /// The smallest size of a volume, bytes.
  public static let bytesMin: UInt64 = 64 << 20
  /// The largest size of a volume, bytes.
  public static let bytesMax: UInt64 = 1 << 40

  private let base: String

  /// A volume as the host knows it.
  public struct Volume: Codable, Equatable, Sendable {
    /// The name by which manifests know it.
    public let name: String
    /// The size of its disk.
    public let sizeBytes: UInt64
    /// How much of the host's storage it takes up.
    public let usedBytes: UInt64
    /// Whether a container uses it.
    public let isInUse: Bool
    /// Its disk.
    public let path: String
  }

  /// The volumes beneath `installation.data`.
  public init(_ installation: Installation) {
    base = installation.data + "/volumes"
  }

  private func folder(_ name: String) -> String { "\(base)/\(name)" }
  private func disk(_ name: String) -> String { "\(base)/\(name)/disk" }

  /// Makes the volume `name` of `sizeBytes`, which takes up storage only as it is written.
  public func create(_ name: String, sizeBytes: UInt64) throws(RuntimeError) {
    guard EncryptedVolume.isName(name) else {
      throw RuntimeError(
        .name, "volume '\(name)': expected 1 to 63 of a to z, 0 to 9 and -, not - first")
    }
    let size = sizeBytes / 4096 * 4096
    guard (Self.bytesMin...Self.bytesMax).contains(size) else {
      throw RuntimeError(
        .volume, "volume \(name): found a size of \(sizeBytes) bytes, expected 64 MiB to 1 TiB")
    }
    try makeFolder(base)
    let guardLock = try lockFile(base + "/.lock")
    defer { close(guardLock) }
    sweep()
    guard !isAccessible(folder(name), F_OK) else {
      throw RuntimeError(.name, "volume \(name): exists; remove it or choose another name")
    }
    let unfinished = "\(base)/.new-\(name)"
    try makeFolder(unfinished)
    try makeSparseFile(unfinished + "/disk", bytes: Int64(size))
    try renameFile(unfinished, folder(name))
  }

  /// Every volume, by name.
  public func list() throws(RuntimeError) -> [Volume] {
    var volumes: [Volume] = []
    for name in names() { volumes.append(try find(name)) }
    return volumes
  }

  /// The volume `name`.
  public func find(_ name: String) throws(RuntimeError) -> Volume {
    guard EncryptedVolume.isName(name), let size = diskSize(disk(name)) else {
      throw RuntimeError(
        .notFound,
        "volume \(name): not found; `arca volume list` lists them, "
          + "`arca volume create \(name) --size SIZE` makes it")
    }
    return Volume(
      name: name, sizeBytes: size.apparent, usedBytes: size.used,
      isInUse: try attempt(name) == nil, path: disk(name))
  }

  /// Removes the volume `name` with what is in it; absence is no error.
  ///
  /// - Returns: Whether it was there.
  /// - Throws: ``RuntimeError/Code/running`` where a container uses it.
  public func remove(_ name: String) throws(RuntimeError) -> Bool {
    guard EncryptedVolume.isName(name), isAccessible(folder(name), F_OK) else { return false }
    let guardLock = try lockFile(base + "/.lock")
    defer { close(guardLock) }
    guard let lock = try attempt(name) else { throw inUse(name) }
    // Moved away in one step, so that a crash leaves no half of it.
    try renameFile(folder(name), "\(base)/.old-\(name)")
    withExtendedLifetime(lock) { sweep() }
    return true
  }

  /// Takes the volume `name` for a container, as long as what is returned lives.
  func take(_ name: String) throws(RuntimeError) -> (disk: String, lock: FileLock) {
    _ = try find(name)
    guard let lock = try attempt(name) else { throw inUse(name) }
    return (disk(name), lock)
  }

  private func inUse(_ name: String) -> RuntimeError {
    RuntimeError(
      .running, "volume \(name): a container uses it; `arca ps` lists them, stop that one first")
  }

  /// The lock of who looks after a container; an engine's containers have QEMU's alone.
  private func attempt(_ name: String) throws(RuntimeError) -> FileLock? {
    if hasByteLocks(disk(name)) { return nil }
    do {
      return try FileLock.attempt(.exclusive, folder(name))
    } catch {
      throw RuntimeError(.state, error.detail)
    }
  }

  private func names() -> [String] {
    System.names(in: base).filter { EncryptedVolume.isName($0) }.sorted()
  }

  /// Removes what killed processes left; `.lock` must be held.
  private func sweep() {
    for name in System.names(in: base) where name.hasPrefix(".new-") || name.hasPrefix(".old-") {
      try? FileManager.default.removeItem(atPath: "\(base)/\(name)")
    }
  }
}
