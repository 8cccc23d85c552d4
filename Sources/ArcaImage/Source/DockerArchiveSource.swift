import ArcaBytes
import ArcaOCI
import Crypto
import Foundation

/// Reads what `docker save` writes (Docker image specification v1.2, "Combined Image JSON +
/// Filesystem Changeset Format").
struct DockerArchiveSource {
  private struct Entry: Decodable {
    var config: String
    var repoTags: [String]?
    var layers: [String]?

    enum CodingKeys: String, CodingKey {
      case config = "Config"
      case repoTags = "RepoTags"
      case layers = "Layers"
    }
  }

  /// The image `tag` in `files`, or the only one there.
  ///
  /// The format has no manifest with digests. One is made from the configuration and the
  /// uncompressed layers, so that the image has a digest of its own all the same.
  static func load(_ files: any SourceFiles, tag: String?, limits: ImageLimits)
    throws(ImageError) -> ImageSource
  {
    let what = "\(files.name): manifest.json"
    let document = try files.document("manifest.json", limits: limits)
    let entry = try choose(
      try ImageSource.decode([Entry].self, document, what), tag, files.name)
    let configuration = try files.document(entry.config, limits: limits)
    var blobs: [ByteRange] = []
    for path in entry.layers ?? [] { blobs.append(try files.file(path)) }
    let diffIDs = try ImageSource.decode(
      ImageConfiguration.self, configuration, "\(files.name): the image configuration"
    ).rootfs.diffIDs
    return try ImageSource(
      manifestBytes: try manifest(configuration, diffIDs), configurationBytes: configuration,
      name: files.name, limits: limits
    ) { (diffIDs) throws(ImageError) in
      zip(blobs, diffIDs).enumerated().map { index, pair in
        LayerDescription(
          label: "\(files.name): layer \(index + 1) of \(blobs.count) (\(pair.0.name))",
          blob: pair.0, diffID: pair.1)
      }
    }
  }

  private static func choose(_ entries: [Entry], _ tag: String?, _ name: String)
    throws(ImageError) -> Entry
  {
    var chosen = entries
    if let tag {
      // Docker leaves its own registry out of names, other tools write it.
      let canonical = ImageReference.canonicalName(tag)
      let spellings = ["", "docker.io/", "docker.io/library/"].map { $0 + canonical }
      chosen = entries.filter { entry in
        spellings.contains { entry.repoTags?.contains($0) ?? false }
      }
    }
    guard let first = chosen.first else {
      throw ImageError(.notFound, "\(name): no image '\(tag ?? "")'")
    }
    guard chosen.count == 1 else {
      let tags = chosen.flatMap { $0.repoTags ?? [] }.joined(separator: ", ")
      throw ImageError(.invalidReference, "\(name): several images; add a name, one of \(tags)")
    }
    return first
  }

  private static func manifest(_ configuration: [UInt8], _ diffIDs: [String])
    throws(ImageError) -> [UInt8]
  {
    // The sizes of the layers are left at 0: they depend on how the archive was packed.
    let manifest = ImageManifest(
      config: Descriptor(
        mediaType: MediaType.config,
        digest: "sha256:" + Hex.encode(Array(SHA256.hash(data: configuration))),
        size: UInt64(configuration.count)),
      layers: diffIDs.map { Descriptor(mediaType: MediaType.layer, digest: $0, size: 0) })
    return try StoreJSON.encode(manifest)
  }
}
