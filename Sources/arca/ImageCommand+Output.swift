import ArcaBytes
import ArcaImage
import ArcaOCI
import Foundation

/// What `arca image inspect` prints.
struct ImageDescription: Encodable {
  /// The root file system and its hash tree, which lie in one file.
  struct RootFileSystem: Encodable {
    let path: String
    let sizeBytes: UInt64
    let dataBlocks: UInt64
    let hashStartBlock: UInt64
    let salt: String
    let rootHash: String
  }

  let digest: String
  let configDigest: String
  let config: ImageConfiguration
  let rootfs: RootFileSystem

  init(_ image: PreparedImage) {
    digest = image.manifestDigest
    configDigest = image.configDigest
    config = image.config
    rootfs = RootFileSystem(
      path: image.rootfsPath, sizeBytes: image.sizeBytes, dataBlocks: image.dataBlocks,
      hashStartBlock: image.hashStartBlock, salt: Hex.encode(image.salt),
      rootHash: Hex.encode(image.rootHash))
  }
}

/// Prints `value` as JSON with sorted keys.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// `bytes` in decimal units, such as `12.3 MB`.
func decimalSize(_ bytes: UInt64) -> String {
  var value = Double(bytes)
  var unit = 0
  let units = ["B", "kB", "MB", "GB", "TB"]
  while value >= 1000, unit < units.count - 1 {
    value /= 1000
    unit += 1
  }
  return unit == 0 ? "\(bytes) B" : String(format: "%.1f %@", value, units[unit])
}
