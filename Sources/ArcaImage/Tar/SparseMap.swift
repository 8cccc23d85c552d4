/// The maps of GNU's sparse files (GNU tar manual, "Storing Sparse Files").
struct SparseMap {
  /// A region of the file that is present in the archive.
  struct Region {
    var offset: UInt64
    var byteCount: UInt64
  }

  /// How many regions one file may have.
  static let regionsMax = 1 << 20

  private(set) var regions: [Region] = []

  /// The map that the numbers `offset, size, offset, size, …` spell.
  init?(pairs: [UInt64]) {
    guard pairs.count % 2 == 0, pairs.count / 2 <= Self.regionsMax else { return nil }
    for index in stride(from: 0, to: pairs.count, by: 2) {
      regions.append(Region(offset: pairs[index], byteCount: pairs[index + 1]))
    }
  }

  /// The map in an old GNU header or its continuation: `count` pairs from byte `start` on.
  init?(block: [UInt8], start: Int, count: Int) {
    for index in 0..<count {
      let at = start + index * 24
      guard block.count >= at + 24 else { return nil }
      if block[at] == 0 { break }
      guard let offset = TarHeader.number(block[at..<at + 12]), offset >= 0,
        let size = TarHeader.number(block[at + 12..<at + 24]), size >= 0
      else { return nil }
      regions.append(Region(offset: UInt64(offset), byteCount: UInt64(size)))
    }
  }

  /// Appends the regions of `other`; false where there are too many.
  mutating func append(_ other: SparseMap) -> Bool {
    regions += other.regions
    return regions.count <= Self.regionsMax
  }

  /// Where in the source each region lies, stored one after the other from `dataOffset` on; nil
  /// unless they ascend, stay inside `fileBytes` and use `storedBytes` exactly.
  func extents(dataOffset: UInt64, storedBytes: UInt64, fileBytes: UInt64) -> [TarEntry.Extent]? {
    var extents: [TarEntry.Extent] = []
    var used: UInt64 = 0
    var end: UInt64 = 0
    for region in regions {
      let (regionEnd, over) = region.offset.addingReportingOverflow(region.byteCount)
      guard !over, region.offset >= end, regionEnd <= fileBytes,
        region.byteCount <= storedBytes - used
      else { return nil }
      if region.byteCount > 0 {
        extents.append(
          TarEntry.Extent(
            fileOffset: region.offset, sourceOffset: dataOffset + used,
            byteCount: region.byteCount))
      }
      used += region.byteCount
      end = regionEnd
    }
    return used == storedBytes ? extents : nil
  }
}
