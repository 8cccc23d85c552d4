import ArcaBytes

/// A folder's content: blocks of entries sorted by name, each followed by its names
/// (Linux, fs/erofs/erofs_fs.h, `erofs_dirent`).
enum ErofsDirectory {
  private static let entryBytes = 12

  /// The entries that go into each block, as ranges.
  private static func blocks(_ entries: [(name: [UInt8], inode: ErofsInode)]) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var start = 0
    var used = 0
    for (index, entry) in entries.enumerated() {
      let size = entryBytes + entry.name.count
      if used + size > ErofsOutput.blockBytes {
        ranges.append(start..<index)
        start = index
        used = 0
      }
      used += size
    }
    ranges.append(start..<entries.count)
    return ranges
  }

  /// The size of the content in bytes.
  static func byteCount(_ entries: [(name: [UInt8], inode: ErofsInode)]) -> UInt64 {
    let ranges = blocks(entries)
    let last = ranges.last.map { entries[$0] } ?? []
    let lastBytes = last.reduce(0) { $0 + entryBytes + $1.name.count }
    return UInt64((ranges.count - 1) * ErofsOutput.blockBytes + lastBytes)
  }

  /// The content; every block but the last is padded to its full size.
  static func encode(_ entries: [(name: [UInt8], inode: ErofsInode)]) -> [UInt8] {
    var writer = ByteWriter()
    for range in blocks(entries) {
      writer.zeros(
        (ErofsOutput.blockBytes - writer.bytes.count % ErofsOutput.blockBytes)
          % ErofsOutput.blockBytes)
      var nameOffset = range.count * entryBytes
      for entry in entries[range] {
        writer.u64(entry.inode.nid)
        writer.u16(UInt16(nameOffset))
        writer.u8(entry.inode.fileType)
        writer.u8(0)
        nameOffset += entry.name.count
      }
      for entry in entries[range] { writer.append(entry.name) }
    }
    return writer.bytes
  }
}
