/// A root file system as a folder, and what is in it.
public struct UnpackedImage: Sendable {
  /// The folder, which nobody may write to.
  public let folder: String
  /// Its regular files, sorted by path.
  public let files: [RootFile]
}

extension ImageStore {
  /// The root file system of `image` as a folder, unpacked once and removed with the image.
  ///
  /// - Throws: ``ImageError/Code/malformed`` where a name is no UTF-8, or the image is encrypted.
  public func unpack(_ image: PreparedImage) throws(ImageError) -> UnpackedImage {
    guard image.workloadManifest?.rootFilesystem.encryptionKey == nil else {
      throw ImageError(
        .unsupported, "\(image.manifestDigest): an encrypted root cannot be unpacked on the host")
    }
    let place = String(image.rootfsPath.dropLast(StoreLayout.rootfsName.count)) + "unpacked"
    if !Directory.exists(place) { try publish(image, at: place) }
    let list = "\(place)/files.json"
    return UnpackedImage(
      folder: "\(place)/root",
      files: try ImageSource.decode([RootFile].self, try layout.read(list), list))
  }

  private func publish(_ image: PreparedImage, at place: String) throws(ImageError) {
    let temporary = try privateFolder()
    let unfinished = "\(temporary.path)/unpacked"
    try Directory.create("\(unfinished)/root")
    let target = UnpackedFolder("\(unfinished)/root")
    try target.setAttributes("", mode: 0o040755, uid: 0, gid: 0, modified: 0)
    let files = try ErofsReader.files(
      of: DataFile.reading(image.rootfsPath),
      byteCount: image.dataBlocks * UInt64(ErofsOutput.blockBytes),
      unpackedTo: target)
    try layout.write(try StoreJSON.encode(files), to: "\(unfinished)/files.json")
    do throws(ImageError) {
      try Directory.publish(unfinished, as: place)
    } catch {
      // Another process was faster; what it made is the same.
      guard Directory.exists(place) else { throw error }
    }
  }
}
