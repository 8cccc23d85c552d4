/// The loadable segments of Gramine's `libpal.so`.
struct EnclaveELF: Sendable {
  struct Segment: Sendable {
    let address: UInt64
    let memoryBytes: UInt64
    let contents: ArraySlice<UInt8>
    /// SECINFO permissions: 1 read, 2 write, 4 execute.
    let permissions: UInt64
  }

  private static let segmentHeaderBytes = 56
  private static let addressEnd: UInt64 = 1 << 32

  let entry: UInt64
  /// In program-header order.
  let segments: [Segment]
  /// Length of the address range from 0 to the last segment's last page, in bytes.
  let byteCount: UInt64

  init(_ file: [UInt8]) throws(MeasurementError) {
    var reader = FieldReader(file[...], "libpal", .enclaveMalformed)
    // 64-bit, little-endian, x86-64.
    guard try reader.slice(6) == [0x7f, 0x45, 0x4c, 0x46, 2, 1], file.count >= 64, file[18] == 62
    else { throw reader.refused("is not an x86-64 ELF file") }
    _ = try reader.slice(18)
    entry = try reader.u64()
    let headers = try reader.u64()
    _ = try reader.slice(14)
    let headerBytes = try reader.u16()
    let count = try reader.u16()
    guard headerBytes == Self.segmentHeaderBytes, headers <= file.count, count <= 64 else {
      throw reader.refused(
        "has \(count) program headers of \(headerBytes) bytes; expected 64 at most, of 56")
    }
    var segments: [Segment] = []
    var at = FieldReader(file[Int(headers)...], "libpal", .enclaveMalformed)
    for _ in 0..<count {
      if let segment = try Self.segment(&at, file: file) { segments.append(segment) }
    }
    guard let lowest = segments.map(\.address).min() else {
      throw reader.refused("has no loadable segment")
    }
    guard lowest < LaunchLimits.pageBytes else {
      throw reader.refused("is linked to \(hex(lowest)); expected a position-independent file")
    }
    self.segments = segments
    byteCount = segments.map { pagesUp($0.address + $0.memoryBytes) }.max() ?? 0
  }

  private static func segment(
    _ at: inout FieldReader, file: [UInt8]
  ) throws(MeasurementError) -> Segment? {
    let type = try at.u32()
    let flags = try at.u32()
    let offset = try at.u64()
    let address = try at.u64()
    _ = try at.u64()
    let fileBytes = try at.u64()
    let memoryBytes = try at.u64()
    _ = try at.u64()
    guard type == 1 else { return nil }
    guard offset <= file.count, fileBytes <= UInt64(file.count) - offset,
      fileBytes <= memoryBytes, address < addressEnd, memoryBytes < addressEnd
    else { throw at.refused("has a segment of \(fileBytes) bytes at \(offset) that cannot be") }
    let permissions = UInt64(flags >> 2 & 1 | flags & 2 | (flags & 1) << 2)
    return Segment(
      address: address, memoryBytes: memoryBytes,
      contents: file[Int(offset)..<Int(offset + fileBytes)], permissions: permissions)
  }
}

func pagesUp(_ bytes: UInt64) -> UInt64 { (bytes + 4095) & ~4095 }
