import ArcaBytes
import ArcaOCI
import Crypto

extension ImageStore {
  /// Finds or converts the root file system that an engine hands in as the folder `path`, and holds
  /// it.
  ///
  /// The result has the bytes that the image's layers give. A folder that is an overlay of known
  /// layers is recognised without being read; any other by the metadata of all its files.
  public func prepare(
    folder path: String, progress: ImageProgressHandler? = nil
  ) throws(ImageError) -> PreparedImage {
    let overlay = OverlayKey(path)
    if let key = overlay?.key, let image = try held(key) { return image }
    let tree = try FolderTree(path, limits: limits)
    try overlay?.accounts.restore(in: tree.root)
    if let key = overlay?.key { return try convert(tree.root, key, progress) }
    var hash = SHA256()
    hash.update(data: Array("arca folder \(ErofsWriter.formatVersion)\n".utf8))
    hash.update(data: tree.fingerprint)
    let key = Array(hash.finalize())
    if let image = try held(key) { return image }
    return try convert(tree.root, key, progress)
  }

  private func convert(
    _ root: FileNode, _ key: [UInt8], _ progress: ImageProgressHandler?
  ) throws(ImageError) -> PreparedImage {
    let name = Hex.encode(key)
    let turn = try FileLock.wait(.exclusive, "\(layout.converting)/\(name)")
    return try withExtendedLifetime(turn) { () throws(ImageError) in
      if let image = try held(key) { return image }
      let temporary = try privateFolder()
      let made = "\(temporary.path)/rootfs"
      EngineFiles.normalise(root)
      try Conversion(limits: limits, progress: progress).write(root, to: made)
      guard let image = try held(key, made: made) else {
        throw ImageError(.notFound, "the root file system \(name) vanished from the store")
      }
      return image
    }
  }

  /// The root file system of `key`, held, once `made` has been put in its place; nil where there is
  /// none.
  private func held(_ key: [UInt8], made: String? = nil) throws(ImageError) -> PreparedImage? {
    let name = Hex.encode(key)
    let lock = try FileLock.wait(made == nil ? .shared : .exclusive, layout.lock)
    return try withExtendedLifetime(lock) { () throws(ImageError) in
      if let made, !Directory.exists(layout.rootfs(name)) {
        try Directory.publish(made, as: layout.rootfs(name))
      }
      guard let hold = try FileLock.hold(layout.rootfs(name)) else { return nil }
      let record = ImageRecord(manifestDigest: "", configurationDigest: "", rootfs: name)
      return try image(
        record, ImageConfiguration(config: ImageConfiguration.Execution(), diffIDs: []), hold)
    }
  }
}
