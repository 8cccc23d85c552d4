/// A file's content as a whole, put together from its extents.
struct ErofsContent {
  let byteCount: UInt64
  let extents: [FileNode.Extent]

  /// The bytes at `offset`, zeros where no extent is; nil where no extent is in the range at all.
  func read(at offset: UInt64, count: Int) throws(ImageError) -> [UInt8]? {
    let end = offset + UInt64(count)
    var index = firstExtent(endingAfter: offset)
    guard index < extents.count, extents[index].fileOffset < end else { return nil }
    let first = extents[index]
    if first.fileOffset <= offset, first.fileOffset + first.byteCount >= end {
      return try bytes(of: first, at: offset, count: count)
    }
    var content = [UInt8](repeating: 0, count: count)
    while index < extents.count, extents[index].fileOffset < end {
      let extent = extents[index]
      let from = max(offset, extent.fileOffset)
      let to = min(end, extent.fileOffset + extent.byteCount)
      let part = try bytes(of: extent, at: from, count: Int(to - from))
      let start = Int(from - offset)
      content.replaceSubrange(start..<start + part.count, with: part)
      index += 1
    }
    return content
  }

  private func firstExtent(endingAfter offset: UInt64) -> Int {
    var low = 0
    var high = extents.count
    while low < high {
      let middle = (low + high) / 2
      if extents[middle].fileOffset + extents[middle].byteCount > offset {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }

  private func bytes(of extent: FileNode.Extent, at offset: UInt64, count: Int)
    throws(ImageError) -> [UInt8]
  {
    let start = extent.sourceOffset + (offset - extent.fileOffset)
    let bytes = try extent.source.read(at: start, count: count)
    guard bytes.count == count else {
      throw ImageError(.truncated, "\(extent.source.name): ends while it is being copied")
    }
    return bytes
  }
}
