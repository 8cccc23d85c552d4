import ArcaManifest
import ArcaOCI

/// An image that is ready to be run: its root file system is in the store, and is kept there for as
/// long as this value or a copy of it lives.
public struct PreparedImage: Sendable {
  /// The digest of the image's manifest, as `sha256:hex`.
  public let manifestDigest: String
  /// The digest of the image's configuration, as `sha256:hex`.
  public let configDigest: String
  /// What the image says about how to run it.
  public let config: ImageConfiguration
  /// The file with the EROFS image and, after it, the dm-verity hash tree.
  public let rootfsPath: String
  /// How many 4096-byte blocks the EROFS image has.
  public let dataBlocks: UInt64
  /// Where the hash tree starts in the same file, in 4096-byte blocks.
  public let hashStartBlock: UInt64
  /// The salt of the hash tree, 32 bytes.
  public let salt: [UInt8]
  /// The root of the hash tree, 32 bytes.
  public let rootHash: [UInt8]
  /// The size of the file at ``rootfsPath``.
  public let sizeBytes: UInt64
  /// The image's `/etc/passwd`, empty where it has none.
  public let passwd: [UInt8]
  /// The image's `/etc/group`, empty where it has none.
  public let group: [UInt8]
  /// The manifest that an Arca image brings; nil for every other image.
  public let workloadManifest: WorkloadManifest?
  /// Keeps the image from being removed; hand its descriptor to a child process that outlives this
  /// one.
  public let hold: FileLock
}

/// How far a lengthy step has come.
public struct ImageProgress: Equatable, Sendable {
  /// What is being done.
  public enum Stage: String, Sendable {
    /// Layers are read, checked and unpacked; counted in their packed bytes.
    case unpacking
    /// The file system is written; counted in bytes of file content.
    case writing
    /// The hash tree is made; counted in bytes of the file system.
    case hashing
  }

  /// What is being done.
  public let stage: Stage
  /// Bytes done so far.
  public let doneBytes: UInt64
  /// Bytes in all.
  public let totalBytes: UInt64
}

/// Receives progress; called often, on the converting thread.
public typealias ImageProgressHandler = @Sendable (ImageProgress) -> Void
