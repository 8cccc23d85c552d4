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
  /// The workload digest of an Arca image, which brings its manifest.
  let workloadDigest: String?
  /// The resource that holds the key of an encrypted root file system.
  let encryptionKey: String?

  init(_ image: PreparedImage) {
    digest = image.manifestDigest
    configDigest = image.configDigest
    config = image.config
    rootfs = RootFileSystem(
      path: image.rootfsPath, sizeBytes: image.sizeBytes, dataBlocks: image.dataBlocks,
      hashStartBlock: image.hashStartBlock, salt: Hex.encode(image.salt),
      rootHash: Hex.encode(image.rootHash))
    workloadDigest = image.workloadManifest.map { Hex.encode($0.digest) }
    encryptionKey = image.workloadManifest?.rootFilesystem.encryptionKey
  }
}

/// Prints `value` as JSON with sorted keys.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Prints `rows` of equal length, with their columns aligned.
func printTable(_ rows: [[String]]) {
  for row in rows {
    let cells = row.enumerated().map { column, cell in
      let width = rows.map { $0[column].count }.max() ?? 0
      return column == row.count - 1
        ? cell : cell.padding(toLength: width, withPad: " ", startingAt: 0)
    }
    print(cells.joined(separator: "  "))
  }
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
