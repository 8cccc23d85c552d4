import ArcaBytes
import Crypto
import Foundation

/// Where everything lies in the store.
///
///     lock                     guards names, publication and removal; held for moments only
///     names.json               name → manifest digest
///     manifests/<hex>/         image.json, manifest.json, config.json
///     rootfs/<key>/            rootfs.erofs, rootfs.json, passwd, group, and of an Arca image
///                              manifest.cbor; its lock means "in use"
///     rootfs/<key>/unpacked/   the same as a folder, where an enclave has been made of it
///     converting/<key>         lock of whoever makes that root file system
///     tmp/<number>/            private folder of a running process; its lock means "alive"
struct StoreLayout: Sendable {
  /// The name of an Arca image's workload manifest in the folder of its root file system.
  static let workloadManifest = "manifest.cbor"

  /// The name of a root file system's image in its folder.
  static let rootfsName = "rootfs.erofs"

  let base: String

  var lock: String { "\(base)/lock" }
  var names: String { "\(base)/names.json" }
  var manifests: String { "\(base)/manifests" }
  var rootFileSystems: String { "\(base)/rootfs" }
  var converting: String { "\(base)/converting" }
  var temporary: String { "\(base)/tmp" }

  func manifest(_ hex: String) -> String { "\(manifests)/\(hex)" }
  func rootfs(_ key: String) -> String { "\(rootFileSystems)/\(key)" }

  func create() throws(ImageError) {
    for path in [manifests, rootFileSystems, converting, temporary] { try Directory.create(path) }
  }

  /// The key of the root file system that layers of these digests give, converted or, with an
  /// Arca image, as it is.
  static func key(diffIDs: [String], isArcaImage: Bool) -> String {
    var hash = SHA256()
    let kind =
      isArcaImage
      ? "arca image \(ArcaImageFormat.version)" : "arca rootfs \(ErofsWriter.formatVersion)"
    hash.update(data: Array("\(kind)\n".utf8))
    for diffID in diffIDs { hash.update(data: Array("\(diffID)\n".utf8)) }
    return Hex.encode(Array(hash.finalize()))
  }

  /// Writes a file that is complete or not there at all.
  func write(_ bytes: [UInt8], to path: String) throws(ImageError) {
    let file = try DataFile.creating(path)
    try file.write(bytes[...], at: 0)
    try file.sync()
  }

  /// The contents of a file of the store.
  func read(_ path: String) throws(ImageError) -> [UInt8] {
    let file = try DataFile.reading(path)
    return try ByteRange(source: file, start: 0, byteCount: file.byteCount, name: path)
      .whole(bytesMax: 64 << 20)
  }
}

/// A folder for one process's unfinished work, removed with the last reference.
///
/// What a killed process leaves is removed by the next one.
final class PrivateFolder: Sendable {
  let path: String
  private let alive: FileLock

  /// `layout.lock` must be held, shared at least.
  init(in layout: StoreLayout) throws(ImageError) {
    path = "\(layout.temporary)/\(UInt64.random(in: 0...UInt64.max))"
    try Directory.create(path)
    guard let lock = try FileLock.attempt(.exclusive, path) else {
      throw ImageError(.system, "cannot lock the new folder \(path)")
    }
    alive = lock
  }

  deinit { try? Directory.remove(path) }

  /// Removes what killed processes left.
  ///
  /// `layout.lock` must be held exclusively.
  static func sweep(_ layout: StoreLayout) throws(ImageError) {
    for name in try Directory.names(layout.temporary) {
      let path = "\(layout.temporary)/\(name)"
      if let lock = try FileLock.attempt(.exclusive, path) {
        try withExtendedLifetime(lock) { () throws(ImageError) in try Directory.remove(path) }
      }
    }
  }
}
