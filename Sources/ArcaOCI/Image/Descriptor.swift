/// Points at content by media type, digest and size (OCI image-spec 1.1, descriptor.md).
public struct Descriptor: Codable, Equatable, Sendable {
  /// The content's media type; empty where the descriptor names none.
  public var mediaType: String
  /// The content's digest, as `algorithm:hex`.
  public var digest: String
  /// The content's size in bytes.
  public var size: UInt64
  /// The platform of the image that an index entry points at.
  public var platform: Platform?
  /// Free-form annotations.
  public var annotations: [String: String]?

  /// Creates a descriptor.
  public init(
    mediaType: String, digest: String, size: UInt64, platform: Platform? = nil,
    annotations: [String: String]? = nil
  ) {
    self.mediaType = mediaType
    self.digest = digest
    self.size = size
    self.platform = platform
    self.annotations = annotations
  }

  /// Decodes with a missing or null media type taken as empty.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    mediaType = try container.decodeIfPresent(String.self, forKey: .mediaType) ?? ""
    digest = try container.decode(String.self, forKey: .digest)
    size = try container.decode(UInt64.self, forKey: .size)
    platform = try container.decodeIfPresent(Platform.self, forKey: .platform)
    annotations = try container.decodeIfPresent([String: String].self, forKey: .annotations)
  }
}

/// What an image runs on (OCI image-spec 1.1, image-index.md).
public struct Platform: Codable, Equatable, Sendable {
  /// The CPU architecture, in Go's words, such as `amd64`.
  public var architecture: String
  /// The operating system, in Go's words, such as `linux`.
  public var os: String
  /// A variant of the architecture, such as `v8`.
  public var variant: String?

  /// Creates a platform.
  public init(architecture: String, os: String, variant: String? = nil) {
    self.architecture = architecture
    self.os = os
    self.variant = variant
  }
}

/// The media types of images that Arca knows, of OCI and of Docker.
public enum MediaType {
  /// An index of images for several platforms.
  public static let indexes: Set<String> = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
  ]
  /// The manifest of one image.
  public static let manifests: Set<String> = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
  ]
  /// An OCI index.
  public static let index = "application/vnd.oci.image.index.v1+json"
  /// An OCI manifest.
  public static let manifest = "application/vnd.oci.image.manifest.v1+json"
  /// An OCI image configuration.
  public static let config = "application/vnd.oci.image.config.v1+json"
  /// A layer that is a bare tar stream.
  public static let layer = "application/vnd.oci.image.layer.v1.tar"
}
