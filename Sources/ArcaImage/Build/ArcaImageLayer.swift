import ArcaBytes
import ArcaManifest

/// Takes an Arca image apart into a root file system of the store.
struct ArcaImageLayer {
  let limits: ImageLimits
  let progress: ImageProgressHandler?

  /// Makes all files of a root file system in the new folder `target`, after checking that it is
  /// the one that the manifest in the image names; `temporary` is for spools.
  func convert(_ layers: [LayerDescription], to target: String, temporary: String)
    throws(ImageError)
  {
    guard let layer = layers.first, layers.count == 1 else {
      throw ImageError(
        .malformed, "an Arca image has \(layers.count) layers, expected one")
    }
    var done: UInt64 = 0
    let progress = progress
    var spooler = LayerSpooler(directory: temporary, limits: limits) {
      done += $0
      progress?(
        ImageProgress(stage: .unpacking, doneBytes: done, totalBytes: layer.blob.byteCount))
    }
    let stream = try spooler.spool(layer)
    let (encoded, image) = try Self.contents(of: stream, layer.label, limits)
    let manifest = try Self.manifest(encoded, layer.label)
    try Directory.create(target)
    let tree = try copy(image, manifest.rootFilesystem, to: "\(target)/rootfs.erofs", layer.label)
    let layout = StoreLayout(base: target)
    try layout.write(
      try StoreJSON.encode(RootFileSystem(tree, sizeBytes: image.byteCount)),
      to: "\(target)/rootfs.json")
    try layout.write(encoded, to: "\(target)/\(StoreLayout.workloadManifest)")
    for name in ["passwd", "group"] { try layout.write([], to: "\(target)/\(name)") }
    try Directory.sync(target)
  }

  /// The manifest of an Arca image, or of the store.
  static func manifest(_ encoded: [UInt8], _ label: String) throws(ImageError)
    -> WorkloadManifest
  {
    do {
      return try WorkloadManifest(decoding: encoded)
    } catch {
      throw ImageError(
        .malformed,
        "\(label): its workload manifest cannot be read, at "
          + "'\(String(decoding: error.field, as: UTF8.self))'; build the image again"
      )
    }
  }

  /// The bytes of the manifest, and where the root file system lies.
  private static func contents(
    of stream: DataFile, _ label: String, _ limits: ImageLimits
  ) throws(ImageError) -> (manifest: [UInt8], image: ByteRange) {
    var reader = TarReader(stream, label: label, limits: limits)
    var found: [String: ByteRange] = [:]
    while let entry = try reader.next() {
      let path = String(decoding: entry.path, as: UTF8.self)
      if entry.kind == .directory, path == ArcaImageFormat.folderPath { continue }
      let isKnown = [ArcaImageFormat.manifestPath, ArcaImageFormat.rootFileSystemPath]
        .contains(path)
      guard isKnown, found[path] == nil, entry.kind == .file, entry.extents.count == 1,
        let extent = entry.extents.first, extent.byteCount == entry.byteCount
      else {
        throw ImageError(
          .malformed, "\(label): unexpected entry '\(entry.path.printable)' of an Arca image")
      }
      found[path] = ByteRange(
        source: stream, start: extent.sourceOffset, byteCount: extent.byteCount,
        name: "\(label): \(path)")
    }
    guard let manifest = found[ArcaImageFormat.manifestPath],
      let image = found[ArcaImageFormat.rootFileSystemPath]
    else {
      throw ImageError(
        .malformed,
        "\(label): an Arca image without \(ArcaImageFormat.manifestPath) or "
          + ArcaImageFormat.rootFileSystemPath)
    }
    return (try manifest.whole(bytesMax: UInt64(WorkloadManifest.bytesMax)), image)
  }

  /// Copies the data blocks, and makes the tree anew: so it is the one that `expected` names, or
  /// there is an error.
  private func copy(
    _ image: ByteRange, _ expected: RootFilesystem, to path: String, _ label: String
  ) throws(ImageError) -> VerityTree {
    let blockBytes = UInt64(VerityTree.blockBytes)
    guard expected.hashStartBlock == expected.dataBlocks,
      expected.dataBlocks < image.byteCount / blockBytes + 1
    else {
      throw ImageError(
        .truncated,
        "\(label): the root file system has \(image.byteCount) bytes, but the manifest counts "
          + "\(expected.dataBlocks) blocks of data")
    }
    let file = try DataFile.creating(path)
    let data = ByteRange(
      source: image, start: 0, byteCount: expected.dataBlocks * blockBytes, name: image.name)
    var offset: UInt64 = 0
    try data.forEachChunk { (chunk) throws(ImageError) in
      try file.write(chunk[...], at: offset)
      offset += UInt64(chunk.count)
      progress?(ImageProgress(stage: .writing, doneBytes: offset, totalBytes: data.byteCount))
    }
    let tree = try VerityTree.append(to: file, salt: expected.salt)
    guard tree.rootHash == expected.rootHash else {
      throw ImageError(
        .digestMismatch,
        "\(label): the root hash of the root file system is \(Hex.encode(tree.rootHash)), "
          + "expected \(Hex.encode(expected.rootHash)) of the manifest in the image")
    }
    guard file.byteCount == image.byteCount else {
      throw ImageError(
        .malformed,
        "\(label): the root file system has \(image.byteCount) bytes, expected \(file.byteCount)")
    }
    try file.sync()
    return tree
  }
}
