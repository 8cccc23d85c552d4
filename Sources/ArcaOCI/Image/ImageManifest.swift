/// The entry point of an image layout, or a list of images by platform
/// (OCI image-spec 1.1, image-index.md).
public struct ImageIndex: Codable, Equatable, Sendable {
  /// Always 2.
  public var schemaVersion: Int
  /// The media type of this document.
  public var mediaType: String?
  /// The manifests and nested indexes.
  public var manifests: [Descriptor]

  /// Creates an index of `manifests`.
  public init(manifests: [Descriptor]) {
    schemaVersion = 2
    mediaType = MediaType.index
    self.manifests = manifests
  }

  /// Decodes with a missing or null list taken as empty.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    schemaVersion = try container.decode(Int.self, forKey: .schemaVersion)
    mediaType = try container.decodeIfPresent(String.self, forKey: .mediaType)
    manifests = try container.decodeIfPresent([Descriptor].self, forKey: .manifests) ?? []
  }
}

/// One image: its configuration and its layers (OCI image-spec 1.1, manifest.md).
public struct ImageManifest: Codable, Equatable, Sendable {
  /// Always 2.
  public var schemaVersion: Int
  /// The media type of this document.
  public var mediaType: String?
  /// The image's configuration.
  public var config: Descriptor
  /// The layers, lowest first.
  public var layers: [Descriptor]
  /// Free-form annotations.
  public var annotations: [String: String]?

  /// Creates a manifest.
  public init(config: Descriptor, layers: [Descriptor]) {
    schemaVersion = 2
    mediaType = MediaType.manifest
    self.config = config
    self.layers = layers
  }

  /// Decodes with a missing or null list taken as empty.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    schemaVersion = try container.decode(Int.self, forKey: .schemaVersion)
    mediaType = try container.decodeIfPresent(String.self, forKey: .mediaType)
    config = try container.decode(Descriptor.self, forKey: .config)
    layers = try container.decodeIfPresent([Descriptor].self, forKey: .layers) ?? []
    annotations = try container.decodeIfPresent([String: String].self, forKey: .annotations)
  }
}
