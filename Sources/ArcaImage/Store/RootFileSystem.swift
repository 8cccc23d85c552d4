import ArcaBytes

/// A converted root file system as the store describes it, in `rootfs.json`.
struct RootFileSystem: Codable, Equatable {
  /// The size of the file with EROFS image and hash tree, in bytes.
  var sizeBytes: UInt64
  var dataBlocks: UInt64
  var hashStartBlock: UInt64
  /// Hexadecimal.
  var salt: String
  /// Hexadecimal.
  var rootHash: String

  init(_ tree: VerityTree, sizeBytes: UInt64) {
    self.sizeBytes = sizeBytes
    dataBlocks = tree.dataBlocks
    hashStartBlock = tree.hashStartBlock
    salt = Hex.encode(tree.salt)
    rootHash = Hex.encode(tree.rootHash)
  }
}

/// An image as the store describes it, in `image.json`.
struct ImageRecord: Codable, Equatable {
  /// The digest of the manifest, as `sha256:hex`.
  var manifestDigest: String
  /// The digest of the configuration, as `sha256:hex`.
  var configurationDigest: String
  /// The name of the folder of its root file system.
  var rootfs: String
}
