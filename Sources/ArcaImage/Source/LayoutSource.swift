import ArcaBytes
import ArcaOCI
import Crypto

/// Reads an OCI image layout (OCI image-spec 1.1, image-layout.md).
struct LayoutSource {
  private static let nestingMax = 4
  private static let documentsMax = 64
  private static let tagAnnotations = [
    "org.opencontainers.image.ref.name", "io.containerd.image.name",
  ]

  private let files: any SourceFiles
  private let limits: ImageLimits
  private var documentsRead = 0

  /// The image `tag` in `files`, or the only one there.
  static func load(_ files: any SourceFiles, tag: String?, limits: ImageLimits)
    throws(ImageError) -> ImageSource
  {
    var layout = LayoutSource(files: files, limits: limits)
    return try layout.load(tag: tag)
  }

  private init(files: any SourceFiles, limits: ImageLimits) {
    self.files = files
    self.limits = limits
  }

  private mutating func load(tag: String?) throws(ImageError) -> ImageSource {
    let bytes = try files.document("index.json", limits: limits)
    let index = try ImageSource.decode(ImageIndex.self, bytes, "\(files.name)/index.json")
    guard index.schemaVersion == 2 else {
      throw ImageError(
        .unsupported, "\(files.name)/index.json: schema version \(index.schemaVersion)")
    }
    var candidates = index.manifests
    if let tag {
      candidates = candidates.filter { descriptor in
        Self.tagAnnotations.contains { descriptor.annotations?[$0] == tag }
      }
      guard !candidates.isEmpty else {
        throw ImageError(
          .notFound, "\(files.name): no image '\(tag)'; there are \(Self.tags(index.manifests))")
      }
    }
    let chosen = Self.suitable(candidates)
    guard let descriptor = chosen.first else {
      throw ImageError(.notFound, "\(files.name): no image for linux/amd64")
    }
    // Entries that name the same image under several tags are no ambiguity.
    guard chosen.allSatisfy({ $0.digest == descriptor.digest }) else {
      throw ImageError(
        .invalidReference,
        "\(files.name): several images; add a tag, one of \(Self.tags(chosen))")
    }
    return try image(descriptor, depth: 0)
  }

  private static func tags(_ manifests: [Descriptor]) -> String {
    let tags = manifests.compactMap { $0.annotations?[tagAnnotations[0]] }
    return tags.isEmpty ? "none with a tag" : tags.map { "'\($0)'" }.joined(separator: ", ")
  }

  /// Those for linux/amd64, or those that name no platform where none is.
  private static func suitable(_ manifests: [Descriptor]) -> [Descriptor] {
    let exact = manifests.filter {
      $0.platform.map { $0.os == "linux" && $0.architecture == "amd64" } ?? false
    }
    return exact.isEmpty ? manifests.filter { $0.platform == nil } : exact
  }

  /// The image at `descriptor`, which may be an index of images.
  private mutating func image(_ descriptor: Descriptor, depth: Int) throws(ImageError)
    -> ImageSource
  {
    let bytes = try document(descriptor, "manifest")
    if MediaType.manifests.contains(descriptor.mediaType) { return try image(manifest: bytes) }
    guard MediaType.indexes.contains(descriptor.mediaType) else {
      throw ImageError(
        .unsupported,
        "\(files.name): manifest \(descriptor.digest) has the unknown media type "
          + "'\(descriptor.mediaType)'")
    }
    guard depth < Self.nestingMax else {
      throw ImageError(.limitExceeded, "\(files.name): indexes nested too deeply")
    }
    let index = try ImageSource.decode(
      ImageIndex.self, bytes, "\(files.name): index \(descriptor.digest)")
    guard let next = Self.suitable(index.manifests).first else {
      throw ImageError(
        .notFound, "\(files.name): index \(descriptor.digest) has no image for linux/amd64")
    }
    return try image(next, depth: depth + 1)
  }

  private mutating func image(manifest bytes: [UInt8]) throws(ImageError) -> ImageSource {
    let manifest = try ImageSource.decode(ImageManifest.self, bytes, "\(files.name): the manifest")
    let configuration = try document(manifest.config, "configuration")
    let files = files
    return try ImageSource(
      manifestBytes: bytes, configurationBytes: configuration, name: files.name, limits: limits
    ) { (diffIDs) throws(ImageError) in
      guard diffIDs.count == manifest.layers.count else {
        throw ImageError(
          .malformed,
          "\(files.name): \(manifest.layers.count) layers, but \(diffIDs.count) diff_ids")
      }
      var layers: [LayerDescription] = []
      for (index, descriptor) in manifest.layers.enumerated() {
        let label = "\(files.name): layer \(index + 1) of \(diffIDs.count) (\(descriptor.digest))"
        if let encrypted = EncryptedLayer(descriptor) { throw encrypted.refusal(label) }
        layers.append(
          LayerDescription(
            label: label, blob: try Self.blob(descriptor, in: files, label),
            digest: try ImageSource.sha256(descriptor.digest, label), diffID: diffIDs[index],
            compression: try Self.compression(descriptor.mediaType, label)))
      }
      return layers
    }
  }

  /// A small document, its size and digest checked.
  private mutating func document(_ descriptor: Descriptor, _ kind: String) throws(ImageError)
    -> [UInt8]
  {
    documentsRead += 1
    guard documentsRead <= Self.documentsMax else {
      throw ImageError(.limitExceeded, "\(files.name): more than \(Self.documentsMax) documents")
    }
    let label = "\(files.name): \(kind) \(descriptor.digest)"
    let expected = try ImageSource.sha256(descriptor.digest, label)
    let bytes = try Self.blob(descriptor, in: files, label)
      .whole(bytesMax: limits.documentBytesMax)
    try LayerSpooler.check(SHA256.hash(data: bytes), expected, "\(label): the digest of its bytes")
    return bytes
  }

  /// The blob at `descriptor`, its size checked.
  private static func blob(_ descriptor: Descriptor, in files: any SourceFiles, _ label: String)
    throws(ImageError) -> ByteRange
  {
    let hex = Hex.encode(try ImageSource.sha256(descriptor.digest, label))
    guard let blob = try files.find("blobs/sha256/\(hex)") else {
      throw ImageError(.notFound, "\(label): its file is not there")
    }
    guard blob.byteCount == descriptor.size else {
      throw ImageError(
        .truncated, "\(label): \(blob.byteCount) bytes, expected \(descriptor.size)")
    }
    return blob
  }

  /// How a layer of `mediaType` is packed (OCI image-spec 1.1, media-types.md; Docker's names).
  static func compression(_ mediaType: String, _ label: String) throws(ImageError) -> Compression {
    switch mediaType {
    case "application/vnd.oci.image.layer.v1.tar",
      "application/vnd.oci.image.layer.nondistributable.v1.tar",
      "application/vnd.docker.image.rootfs.diff.tar":
      return .none
    case "application/vnd.oci.image.layer.v1.tar+gzip",
      "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      "application/vnd.docker.image.rootfs.diff.tar.gzip",
      "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip":
      return .gzip
    case "application/vnd.oci.image.layer.v1.tar+zstd",
      "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
      "application/vnd.docker.image.rootfs.diff.tar.zstd":
      return .zstd
    default:
      throw ImageError(.unsupported, "\(label): unknown media type '\(mediaType)'")
    }
  }
}
