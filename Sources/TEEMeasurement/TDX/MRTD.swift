import Crypto

extension TDVF {
  /// The order in which a VMM adds and measures the pages of one section.
  public enum PageOrder: String, CaseIterable, Sendable, Codable {
    /// Each page is measured right after it is added: upstream Linux and QEMU, Google Cloud.
    case singlePass
    /// All pages of a section are added, then all are measured: QEMU 8.x of Intel and Canonical.
    case twoPass
  }

  /// The measurement of the TD's initial memory; 48 bytes.
  ///
  /// It is the SHA-384 over one 128-byte record for each TDH.MEM.PAGE.ADD, and one for each
  /// TDH.MR.EXTEND followed by the 256 bytes it covers (Intel 348551, TDX Module ABI).
  public func mrtd(order: PageOrder = .singlePass) -> [UInt8] {
    var stream = MRTDStream()
    for section in sections where !section.isAugmented {
      switch order {
      case .singlePass:
        for page in section.pages {
          stream.add(gpa: page.gpa)
          if section.isExtended { stream.extend(gpa: page.gpa, contents: page.contents) }
        }
      case .twoPass:
        for page in section.pages { stream.add(gpa: page.gpa) }
        if section.isExtended {
          for page in section.pages { stream.extend(gpa: page.gpa, contents: page.contents) }
        }
      }
    }
    return stream.finalize()
  }
}

extension TDVFSection {
  fileprivate var pages: some Sequence<(gpa: UInt64, contents: ArraySlice<UInt8>)> {
    stride(from: 0, to: Int(byteCount), by: LaunchLimits.pageBytes).lazy.map { offset in
      (gpa + UInt64(offset), contents.dropFirst(offset).prefix(LaunchLimits.pageBytes))
    }
  }
}

private struct MRTDStream {
  private static let recordBytes = 128
  private static let chunkBytes = 256
  private var hash = SHA384()
  private var buffer: [UInt8] = []

  mutating func add(gpa: UInt64) {
    buffer.removeAll(keepingCapacity: true)
    record("MEM.PAGE.ADD", gpa)
    hash.update(data: buffer)
  }

  mutating func extend(gpa: UInt64, contents: ArraySlice<UInt8>) {
    buffer.removeAll(keepingCapacity: true)
    for offset in stride(from: 0, to: LaunchLimits.pageBytes, by: Self.chunkBytes) {
      record("MR.EXTEND", gpa + UInt64(offset))
      let end = buffer.count + Self.chunkBytes
      buffer.append(contentsOf: contents.dropFirst(offset).prefix(Self.chunkBytes))
      while buffer.count < end { buffer.append(0) }
    }
    hash.update(data: buffer)
  }

  func finalize() -> [UInt8] { Array(hash.finalize()) }

  private mutating func record(_ name: StaticString, _ gpa: UInt64) {
    let end = buffer.count + Self.recordBytes
    buffer.append(contentsOf: name.description.utf8)
    // The name fills 16 bytes, the address 8, the rest is zero.
    while buffer.count < end - Self.recordBytes + 16 { buffer.append(0) }
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      buffer.append(UInt8(truncatingIfNeeded: gpa >> shift))
    }
    while buffer.count < end { buffer.append(0) }
  }
}
