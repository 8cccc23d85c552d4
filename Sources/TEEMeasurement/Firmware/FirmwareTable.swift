import ArcaBytes

/// The table of GUID entries that OVMF keeps just before its reset vector.
///
/// It is read from its end: a footer entry 50 bytes before the end of the image holds the length,
/// and each entry's length and GUID follow its data (EDK II, `OvmfPkg/ResetVector`).
struct FirmwareTable: Sendable {
  private static let footer = GUID("96b582de-1fb2-45f7-baea-a366c55a082d")
  private static let resetVectorBytes = 32
  private static let headerBytes = 18

  private var entries: [(guid: GUID, data: ArraySlice<UInt8>)] = []

  /// Reads the table of `image`; an image without one has no entries.
  init(image: [UInt8]) throws(MeasurementError) {
    let end = image.count - Self.resetVectorBytes
    guard end >= Self.headerBytes, let footer = Self.header(endingAt: end, in: image),
      footer.guid == Self.footer
    else { return }
    var at = end - Self.headerBytes
    let start = end - footer.byteCount
    guard footer.byteCount >= Self.headerBytes, start >= 0 else {
      throw Self.malformed("its footer claims \(footer.byteCount) bytes")
    }
    while at - start >= Self.headerBytes {
      guard let entry = Self.header(endingAt: at, in: image) else {
        throw Self.malformed("an entry is cut short")
      }
      guard entry.byteCount >= Self.headerBytes, entry.byteCount <= at - start else {
        throw Self.malformed("an entry claims \(entry.byteCount) bytes of \(at - start)")
      }
      guard self[entry.guid] == nil else { throw Self.malformed("an entry occurs twice") }
      entries.append((entry.guid, image[at - entry.byteCount..<at - Self.headerBytes]))
      at -= entry.byteCount
    }
  }

  /// The data of the entry `guid`, or nil where there is none.
  subscript(guid: GUID) -> ArraySlice<UInt8>? {
    entries.first { $0.guid == guid }?.data
  }

  /// The little-endian 32-bit integer that leads the entry `guid`, or nil where there is none.
  func u32(_ guid: GUID) throws(MeasurementError) -> UInt32? {
    guard let data = self[guid] else { return nil }
    var reader = ByteReader(data)
    do {
      return try reader.u32()
    } catch {
      throw Self.malformed("an entry that holds an address has \(data.count) bytes")
    }
  }

  private static func header(
    endingAt end: Int, in image: [UInt8]
  ) -> (byteCount: Int, guid: GUID)? {
    guard end >= headerBytes, end <= image.count else { return nil }
    let start = end - headerBytes
    let byteCount = Int(image[start]) | Int(image[start + 1]) << 8
    return (byteCount, GUID(bytes: Array(image[start + 2..<end])))
  }

  private static func malformed(_ what: String) -> MeasurementError {
    MeasurementError(.firmwareMalformed, "the firmware's GUID table is damaged: \(what)")
  }
}
