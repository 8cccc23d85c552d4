/// An Arca image: an OCI image with a finished root file system and its workload manifest.
///
/// Its one layer, an uncompressed tar stream, holds `arca/manifest.cbor` and `arca/rootfs.img`, in
/// this order. A label of the configuration marks it, since labels survive every way of moving an
/// image, which annotations do not.
enum ArcaImageFormat {
  /// The label that marks an Arca image; its value is the version.
  static let label = "dev.arca.image.version"
  /// The version that this code reads and writes.
  static let version = "1"
  /// Annotation of the manifest: the workload digest, hexadecimal.
  static let workloadDigestAnnotation = "dev.arca.workload.digest"
  /// Annotation of the manifest: the resource URI of the key, where there is one.
  static let encryptionKeyAnnotation = "dev.arca.encryption.key"
  static let folderPath = "arca/"
  static let manifestPath = "arca/manifest.cbor"
  static let rootFileSystemPath = "arca/rootfs.img"

  /// Whether `source` is an Arca image; fails for one of an unknown version.
  static func isArcaImage(_ source: ImageSource) throws(ImageError) -> Bool {
    guard let found = source.configuration.config.labels[label] else { return false }
    guard found == version else {
      throw ImageError(
        .unsupported,
        "the image is an Arca image of version '\(found)', expected version \(version); "
          + "use a newer Arca")
    }
    return true
  }
}
