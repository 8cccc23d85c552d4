import ArcaBytes
import ArcaOCI
import Crypto
import Foundation

/// An image whose documents have been read and checked, its layers not yet.
struct ImageSource {
  /// The digest of ``manifestBytes``, 32 bytes.
  let manifestDigest: [UInt8]
  let manifestBytes: [UInt8]
  /// The digest of ``configurationBytes``, 32 bytes.
  let configurationDigest: [UInt8]
  let configurationBytes: [UInt8]
  let configuration: ImageConfiguration
  let layers: [LayerDescription]

  /// Checks that the documents fit together and to this machine.
  init(
    manifestBytes: [UInt8], configurationBytes: [UInt8], name: String, limits: ImageLimits,
    layers describe: ([[UInt8]]) throws(ImageError) -> [LayerDescription]
  ) throws(ImageError) {
    self.manifestBytes = manifestBytes
    self.configurationBytes = configurationBytes
    manifestDigest = Array(SHA256.hash(data: manifestBytes))
    configurationDigest = Array(SHA256.hash(data: configurationBytes))
    configuration = try Self.decode(
      ImageConfiguration.self, configurationBytes, "\(name): the image configuration")
    guard configuration.os == "linux", configuration.architecture == "amd64" else {
      throw ImageError(
        .notFound,
        "\(name): the image is for \(configuration.os)/\(configuration.architecture), "
          + "expected linux/amd64")
    }
    guard configuration.rootfs.diffIDs.count <= limits.layersMax else {
      throw ImageError(
        .limitExceeded,
        "\(name): \(configuration.rootfs.diffIDs.count) layers, more than "
          + "\(limits.layersMax)")
    }
    var diffIDs: [[UInt8]] = []
    for text in configuration.rootfs.diffIDs {
      diffIDs.append(try Self.sha256(text, "\(name): diff_ids"))
    }
    layers = try describe(diffIDs)
    guard layers.count == diffIDs.count else {
      throw ImageError(
        .malformed, "\(name): \(layers.count) layers, but \(diffIDs.count) diff_ids")
    }
  }

  static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], _ what: String)
    throws(ImageError) -> Value
  {
    do {
      return try JSONDecoder().decode(type, from: Data(bytes))
    } catch let error as DecodingError {
      throw ImageError(.malformed, "\(what) cannot be read: \(error.path)")
    } catch {
      throw ImageError(.malformed, "\(what) is not JSON")
    }
  }

  /// The 32 bytes of a digest of the form `sha256:<64 hexadecimal digits>`.
  static func sha256(_ text: String, _ what: String) throws(ImageError) -> [UInt8] {
    guard let hex = text.droppingPrefix("sha256:") else {
      throw ImageError(.unsupported, "\(what): '\(text)' is not a sha256 digest")
    }
    guard let bytes = Hex.decode(hex), bytes.count == 32, hex == Hex.encode(bytes) else {
      throw ImageError(.malformed, "\(what): '\(text)' is not 64 lowercase hexadecimal digits")
    }
    return bytes
  }
}

extension DecodingError {
  /// Which field is at fault, and how.
  fileprivate var path: String {
    let (context, key): (Context, String?) =
      switch self {
      case .typeMismatch(_, let context): (context, nil)
      case .valueNotFound(_, let context): (context, nil)
      case .keyNotFound(let key, let context): (context, key.stringValue)
      case .dataCorrupted(let context): (context, nil)
      @unknown default: (Context(codingPath: [], debugDescription: ""), nil)
      }
    let names = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
    let path = (names + (key.map { [$0] } ?? [])).joined(separator: ".")
    return path.isEmpty ? context.debugDescription : "field '\(path)' is missing or of a wrong type"
  }
}
