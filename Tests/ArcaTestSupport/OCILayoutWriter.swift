import ArcaBytes
import ArcaOCI
import Crypto
import Foundation

/// Writes OCI image layouts for tests.
public struct OCILayoutWriter {
  /// How a layer is packed.
  public enum Packing: String, Sendable, CaseIterable {
    case plain, gzip, zstd

    /// The media type of a layer packed like this.
    public var mediaType: String {
      MediaType.layer + (self == .plain ? "" : "+\(rawValue)")
    }
  }

  /// The layout's folder.
  public let folder: String

  /// Starts an empty layout in the new folder `folder`.
  public init(_ folder: String) throws {
    self.folder = folder
    try FileManager.default.createDirectory(
      atPath: "\(folder)/blobs/sha256", withIntermediateDirectories: true)
    try write(Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), to: "oci-layout")
  }

  /// Writes an image of `layers`, lowest first, and returns its manifest's descriptor.
  public func image(
    layers: [[UInt8]], packing: Packing = .plain,
    config: ImageConfiguration.Execution = .init(cmd: ["/bin/sh"]), architecture: String = "amd64"
  ) throws -> Descriptor {
    var descriptors: [Descriptor] = []
    for layer in layers {
      descriptors.append(try blob(try Self.pack(layer, packing), packing.mediaType))
    }
    return try image(
      descriptors, diffIDs: layers.map(Self.digest), config: config, architecture: architecture)
  }

  /// Writes an image whose layers are already in the layout.
  public func image(
    _ layers: [Descriptor], diffIDs: [String], config: ImageConfiguration.Execution = .init(),
    architecture: String = "amd64"
  ) throws -> Descriptor {
    let configuration = ImageConfiguration(
      architecture: architecture, config: config, diffIDs: diffIDs)
    let manifest = ImageManifest(
      config: try blob(try Self.json(configuration), MediaType.config), layers: layers)
    var descriptor = try blob(try Self.json(manifest), MediaType.manifest)
    descriptor.platform = Platform(architecture: architecture, os: "linux")
    return descriptor
  }

  /// Writes the layout's entry point.
  public func index(_ manifests: [Descriptor]) throws {
    try write(try Self.json(ImageIndex(manifests: manifests)), to: "index.json")
  }

  /// Writes `bytes` as a blob and describes it.
  public func blob(_ bytes: [UInt8], _ mediaType: String) throws -> Descriptor {
    let digest = Self.digest(bytes)
    try write(bytes, to: "blobs/sha256/\(digest.dropFirst("sha256:".count))")
    return Descriptor(mediaType: mediaType, digest: digest, size: UInt64(bytes.count))
  }

  /// The path of the blob with `digest`.
  public func path(_ digest: String) -> String {
    "\(folder)/blobs/sha256/\(digest.dropFirst("sha256:".count))"
  }

  /// The digest of `bytes` as `sha256:hex`.
  public static func digest(_ bytes: [UInt8]) -> String {
    "sha256:" + Hex.encode(Array(SHA256.hash(data: bytes)))
  }

  /// `value` as JSON with sorted keys.
  public static func json(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
  }

  /// Packs `bytes` with the program of that name.
  public static func pack(_ bytes: [UInt8], _ packing: Packing) throws -> [UInt8] {
    switch packing {
    case .plain: bytes
    case .gzip: try Command.run(["gzip", "-n", "-c"], input: bytes)
    case .zstd: try Command.run(["zstd", "-q", "-c"], input: bytes)
    }
  }

  private func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
  }
}
