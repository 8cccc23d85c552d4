import ArcaBytes
import Crypto

/// A dm-verity hash tree as the kernel reads it without a superblock
/// (Linux, Documentation/admin-guide/device-mapper/verity.rst; SHA-256, 4096-byte blocks).
package struct VerityTree: Equatable, Sendable {
  package static let blockBytes = 4096
  private static let digestBytes = 32
  private static let batchBlocks = 256

  /// How many 4096-byte blocks the tree covers.
  package let dataBlocks: UInt64
  /// Where the tree starts on the same device, in 4096-byte blocks.
  package let hashStartBlock: UInt64
  /// 32 bytes.
  package let salt: [UInt8]
  /// 32 bytes.
  package let rootHash: [UInt8]

  /// Appends the tree of the blocks in `file` to it; `advance` gets the count of data bytes hashed
  /// since its last call.
  package static func append(
    to file: DataFile, salt: [UInt8], advance: (UInt64) -> Void = { _ in }
  ) throws(ImageError) -> VerityTree {
    let dataBytes = file.byteCount
    let dataBlocks = dataBytes / UInt64(blockBytes)
    guard dataBytes > 0, dataBytes % UInt64(blockBytes) == 0 else {
      throw ImageError(.malformed, "\(file.name): not a whole number of blocks")
    }
    var salted = SHA256()
    salted.update(data: salt)
    var levels = [try leaves(of: file, dataBlocks, salted, advance)]
    while let top = levels.last, top.count > blockBytes {
      levels.append(hash(top[...], salted))
    }
    var offset = dataBytes
    // The kernel expects the top level first.
    for level in levels.reversed() where level.count > digestBytes {
      try file.write(level[...], at: offset)
      offset += UInt64(level.count)
    }
    let root = levels.last.map { $0.count > digestBytes ? hash($0[...], salted) : $0 } ?? []
    return VerityTree(
      dataBlocks: dataBlocks, hashStartBlock: dataBlocks, salt: salt,
      rootHash: Array(root.prefix(digestBytes)))
  }

  /// The digests of all data blocks, padded to a block unless there is only one.
  private static func leaves(
    of file: DataFile, _ dataBlocks: UInt64, _ salted: SHA256, _ advance: (UInt64) -> Void
  ) throws(ImageError) -> [UInt8] {
    var digests: [UInt8] = []
    digests.reserveCapacity(Int(dataBlocks + 128) * digestBytes)
    var block: UInt64 = 0
    while block < dataBlocks {
      let count = Int(min(UInt64(batchBlocks), dataBlocks - block))
      let bytes = try file.read(at: block * UInt64(blockBytes), count: count * blockBytes)
      guard bytes.count == count * blockBytes else {
        throw ImageError(.truncated, "\(file.name): became shorter while it was hashed")
      }
      append(bytes[...], salted, to: &digests)
      block += UInt64(count)
      advance(UInt64(bytes.count))
    }
    if dataBlocks > 1 { pad(&digests) }
    return digests
  }

  /// The digests of the blocks in `bytes`, padded to a block.
  private static func hash(_ bytes: ArraySlice<UInt8>, _ salted: SHA256) -> [UInt8] {
    var digests: [UInt8] = []
    append(bytes, salted, to: &digests)
    pad(&digests)
    return digests
  }

  private static func append(
    _ bytes: ArraySlice<UInt8>, _ salted: SHA256, to digests: inout [UInt8]
  ) {
    var start = bytes.startIndex
    while start < bytes.endIndex {
      var hash = salted
      hash.update(data: bytes[start..<start + blockBytes])
      digests.append(contentsOf: hash.finalize())
      start += blockBytes
    }
  }

  private static func pad(_ digests: inout [UInt8]) {
    let over = digests.count % blockBytes
    if over > 0 { digests.append(contentsOf: repeatElement(0, count: blockBytes - over)) }
  }
}
