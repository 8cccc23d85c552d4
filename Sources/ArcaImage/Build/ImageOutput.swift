import ArcaBytes
import ArcaOCI
import Crypto
import Foundation

/// Where a built image goes: an OCI image layout that does not exist yet.
public enum ImageOutput: Equatable, Sendable {
  /// A folder: `oci:/path[:tag]`, or a path.
  case layout(path: String, tag: String?)
  /// A tar file: `oci-archive:/path[:tag]`, or a path that ends in `.tar`.
  case archive(path: String, tag: String?)

  /// Parses what a user writes.
  public init(_ text: String) throws(ImageError) {
    switch try ImageReference(text) {
    case .layout(let path, let tag): self = .layout(path: path, tag: tag)
    case .layoutArchive(let path, let tag): self = .archive(path: path, tag: tag)
    case .path(let path), .name(let path):
      self =
        path.hasSuffix(".tar")
        ? .archive(path: path, tag: nil) : .layout(path: path, tag: nil)
    default:
      throw ImageError(
        .invalidReference,
        "'\(text)': expected a folder, a file that ends in .tar, oci:FOLDER[:TAG] or "
          + "oci-archive:FILE[:TAG]; copy it to a registry with skopeo")
    }
  }

  var path: String {
    switch self {
    case .layout(let path, _), .archive(let path, _): path
    }
  }

  var tag: String? {
    switch self {
    case .layout(_, let tag), .archive(_, let tag): tag
    }
  }
}

/// Writes one OCI image layout (OCI image-spec 1.1, image-layout.md) that equal inputs make equal.
struct LayoutOutput {
  /// The folder that is filled.
  let folder: String

  /// Starts in the new folder `folder`.
  init(_ folder: String) throws(ImageError) {
    self.folder = folder
    try Directory.create("\(folder)/blobs/sha256")
    try StoreLayout(base: folder)
      .write(Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), to: "\(folder)/oci-layout")
  }

  /// Stores `bytes` as a blob.
  func blob(_ bytes: [UInt8], _ mediaType: String) throws(ImageError) -> Descriptor {
    let hex = Hex.encode(Array(SHA256.hash(data: bytes)))
    let path = "\(folder)/blobs/sha256/\(hex)"
    if !Directory.exists(path) { try StoreLayout(base: folder).write(bytes, to: path) }
    return Descriptor(
      mediaType: mediaType, digest: "sha256:\(hex)", size: UInt64(bytes.count))
  }

  /// Stores the finished file at `path` as a blob, by moving it.
  func blob(moving path: String, _ mediaType: String) throws(ImageError) -> Descriptor {
    let file = try DataFile.reading(path)
    var hash = SHA256()
    try file.forEachChunk { hash.update(data: $0) }
    let hex = Hex.encode(Array(hash.finalize()))
    try Directory.publish(path, as: "\(folder)/blobs/sha256/\(hex)")
    return Descriptor(mediaType: mediaType, digest: "sha256:\(hex)", size: file.byteCount)
  }

  /// Writes the entry point, with `tag` as the image's name in the layout.
  func index(_ manifest: Descriptor, tag: String?) throws(ImageError) {
    var manifest = manifest
    manifest.platform = Platform(architecture: "amd64", os: "linux")
    manifest.annotations = tag.map { ["org.opencontainers.image.ref.name": $0] }
    try StoreLayout(base: folder).write(
      try StoreJSON.encode(ImageIndex(manifests: [manifest])), to: "\(folder)/index.json")
  }

  /// Writes the layout as a tar stream to the new file `path`.
  func archive(to path: String) throws(ImageError) {
    let tar = TarOutput(file: try DataFile.creating(path))
    try tar.file("oci-layout", copying: try DataFile.reading("\(folder)/oci-layout"))
    try tar.file("index.json", copying: try DataFile.reading("\(folder)/index.json"))
    for part in ["blobs/", "blobs/sha256/"] { try tar.folder(part) }
    for name in try Directory.names("\(folder)/blobs/sha256") {
      let blob = "blobs/sha256/\(name)"
      try tar.file(blob, copying: try DataFile.reading("\(folder)/\(blob)"))
    }
    try tar.finish()
    try tar.file.sync()
  }
}
