import ArcaBytes
import ArcaManifest
import ArcaOCI
import Crypto
import Foundation

/// How the root file system of an image that is built is encrypted.
public struct ImageEncryption: Sendable {
  let cipher: AESXTS
  /// The resource of the key broker that will hold the key: `kbs:///repository/type/tag`.
  public let keyURI: String

  /// Encryption with `key`: 64 random bytes, used for this one image.
  public init(key: [UInt8], keyURI: String) throws(ImageError) {
    guard let cipher = AESXTS(key: key) else {
      throw ImageError(
        .invalidKey,
        "the key has \(key.count) bytes, expected 64 random ones "
          + "(head -c 64 /dev/urandom > FILE)")
    }
    guard ResourceURI.path(keyURI) != nil else {
      throw ImageError(
        .invalidKey, "'\(keyURI)' is no resource URI; expected kbs:///REPOSITORY/TYPE/TAG")
    }
    self.cipher = cipher
    self.keyURI = keyURI
  }
}

/// What has been built.
public struct BuiltImage: Equatable, Sendable {
  /// The digest of the image's manifest, as `sha256:hex`.
  public let manifestDigest: String
  /// The workload manifest in the image.
  public let workloadManifest: WorkloadManifest
}

extension ImageStore {
  /// Writes an Arca image of `image` to `output`; the same inputs give the same bytes.
  ///
  /// `manifest` says how the workload runs; its `rootFilesystem` is made to name what is written.
  public func build(
    _ image: PreparedImage, manifest: WorkloadManifest, encryption: ImageEncryption?,
    to output: ImageOutput
  ) throws(ImageError) -> BuiltImage {
    guard image.workloadManifest == nil else {
      throw ImageError(
        .unsupported, "image \(image.manifestDigest) is an Arca image already")
    }
    guard !Directory.exists(output.path) else {
      throw ImageError(
        .alreadyExists, "\(output.path) exists; remove it or name another place")
    }
    // Beside the output, so that the finished layout can be moved into place in one step.
    let work = "\(output.path).arca-unfinished"
    try Directory.create(work)
    guard let turn = try FileLock.attempt(.exclusive, work) else {
      throw ImageError(.inUse, "\(output.path): another process builds it; wait for its end")
    }
    defer { withExtendedLifetime(turn) { try? Directory.remove(work) } }
    // What a build left that was killed.
    for name in try Directory.names(work) { try Directory.remove("\(work)/\(name)") }
    let layer = TarOutput(file: try DataFile.creating("\(work)/layer"))
    var manifest = manifest
    let source = try DataFile.reading(image.rootfsPath)
    var rootFilesystem: any ByteSource = source
    if let encryption {
      let (file, tree) = try encrypt(source, blocks: image.dataBlocks, encryption, in: work)
      manifest.rootFilesystem.name(tree)
      manifest.rootFilesystem.encryptionKey = encryption.keyURI
      rootFilesystem = file
    }
    let encoded = manifest.encoded()
    // Demands what the guest will demand, such as a key broker where a key is named.
    manifest = try ArcaImageLayer.manifest(encoded, output.path)
    try layer.folder(ArcaImageFormat.folderPath)
    try layer.file(ArcaImageFormat.manifestPath, encoded)
    try layer.file(ArcaImageFormat.rootFileSystemPath, copying: rootFilesystem)
    try layer.finish()
    let layout = try LayoutOutput("\(work)/layout")
    let digest = try write(
      manifest, image, try layout.blob(moving: "\(work)/layer", MediaType.layer), layout,
      tag: output.tag)
    switch output {
    case .layout(let path, _): try Directory.publish(layout.folder, as: path)
    case .archive(let path, _):
      try layout.archive(to: "\(work)/archive")
      try Directory.publish("\(work)/archive", as: path)
    }
    return BuiltImage(manifestDigest: digest, workloadManifest: manifest)
  }

  /// The data blocks of `source` as ciphertext, and a tree over that behind them.
  private func encrypt(
    _ source: DataFile, blocks: UInt64, _ encryption: ImageEncryption, in folder: String
  ) throws(ImageError) -> (DataFile, VerityTree) {
    let blockBytes = VerityTree.blockBytes
    let file = try DataFile.creating("\(folder)/ciphertext")
    let data = ByteRange(
      source: source, start: 0, byteCount: blocks * UInt64(blockBytes), name: source.name)
    // The plaintext's salt would tell who knows the plaintext that this is it.
    var salt = SHA256()
    salt.update(data: Array("arca encrypted rootfs verity salt v1\0".utf8))
    var number: UInt64 = 0
    try data.forEachChunk { (chunk) throws(ImageError) in
      var chunk = chunk
      let offset = number * UInt64(blockBytes)
      for start in stride(from: 0, to: chunk.count, by: blockBytes) {
        try encryption.cipher.encrypt(&chunk[start..<start + blockBytes], number: number)
        number += 1
      }
      salt.update(data: chunk)
      try file.write(chunk[...], at: offset)
    }
    return (file, try VerityTree.append(to: file, salt: Array(salt.finalize())))
  }

  /// Writes what describes the image, and returns the digest of its manifest.
  private func write(
    _ manifest: WorkloadManifest, _ image: PreparedImage, _ layer: Descriptor,
    _ layout: LayoutOutput, tag: String?
  ) throws(ImageError) -> String {
    // What an engine shows and passes on is the source's; what runs is the manifest's.
    var execution = image.config.config
    execution.volumes = []
    execution.labels[ArcaImageFormat.label] = ArcaImageFormat.version
    let configuration = ImageConfiguration(config: execution, diffIDs: [layer.digest])
    var document = ImageManifest(
      config: try layout.blob(try StoreJSON.encode(configuration), MediaType.config),
      layers: [layer])
    var annotations = [
      ArcaImageFormat.workloadDigestAnnotation: Hex.encode(manifest.digest)
    ]
    annotations[ArcaImageFormat.encryptionKeyAnnotation] = manifest.rootFilesystem.encryptionKey
    document.annotations = annotations
    let descriptor = try layout.blob(try StoreJSON.encode(document), MediaType.manifest)
    try layout.index(descriptor, tag: tag)
    return descriptor.digest
  }
}

extension RootFilesystem {
  /// Makes this name `tree` and what it covers.
  mutating func name(_ tree: VerityTree) {
    rootHash = tree.rootHash
    salt = tree.salt
    dataBlocks = tree.dataBlocks
    hashStartBlock = tree.hashStartBlock
  }
}
