import Crypto

/// The digest by which UEFI firmware measures a PE image: everything but its checksum, the pointer
/// to its certificates, and the certificates (Microsoft, Authenticode PE Signature Format).
public enum Authenticode {
  private static let sectionHeaderBytes = 40

  /// The Authenticode SHA-384 digest of `image`; 48 bytes.
  public static func sha384(_ image: [UInt8]) throws(MeasurementError) -> [UInt8] {
    let pe = try Layout(image)
    var hash = SHA384()
    hash.update(data: image[..<pe.checksum])
    hash.update(data: image[(pe.checksum + 4)..<pe.certificateEntry])
    hash.update(data: image[(pe.certificateEntry + 8)..<pe.headerBytes])
    var end = pe.headerBytes
    for section in pe.sections.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      hash.update(data: image[section])
      end += section.count
    }
    let covered = image.count - pe.certificateBytes
    if end < covered { hash.update(data: image[end..<covered]) }
    return Array(hash.finalize())
  }

  private struct Layout {
    let checksum: Int
    let certificateEntry: Int
    let certificateBytes: Int
    let headerBytes: Int
    private(set) var sections: [Range<Int>] = []

    init(_ image: [UInt8]) throws(MeasurementError) {
      func reader(at offset: Int) throws(MeasurementError) -> FieldReader {
        var reader = FieldReader(image[...], "the kernel's PE header", .kernelMalformed)
        _ = try reader.slice(offset)
        return reader
      }
      var at = try reader(at: 0x3c)
      let pe = Int(try at.u32())
      at = try reader(at: pe)
      guard image.starts(with: Array("MZ".utf8)), try at.u32() == 0x0000_4550 else {
        throw at.refused("is absent: expected a kernel with an EFI stub")
      }
      _ = try at.slice(2)
      let sectionCount = Int(try at.u16())
      _ = try at.slice(12)
      let optionalBytes = Int(try at.u16())
      let optional = pe + 24
      at = try reader(at: optional)
      let magic = try at.u16()
      guard magic == 0x10b || magic == 0x20b else {
        throw at.refused("has the unknown magic number \(hex(magic))")
      }
      at = try reader(at: optional + 60)
      headerBytes = Int(try at.u32())
      checksum = optional + 64
      let directories = optional + (magic == 0x20b ? 108 : 92)
      at = try reader(at: directories)
      guard try at.u32() > 4 else { throw at.refused("has no directory entry for certificates") }
      certificateEntry = directories + 4 + 4 * 8
      at = try reader(at: certificateEntry + 4)
      certificateBytes = Int(try at.u32())
      let table = optional + optionalBytes
      guard headerBytes <= image.count, certificateEntry + 8 <= headerBytes,
        table + sectionCount * sectionHeaderBytes <= headerBytes, certificateBytes <= image.count
      else { throw at.refused("contradicts itself") }
      for index in 0..<sectionCount {
        at = try reader(at: table + index * sectionHeaderBytes + 16)
        let count = Int(try at.u32())
        let start = Int(try at.u32())
        guard start + count <= image.count else {
          throw at.refused("has a section that ends at \(start + count) of \(image.count) bytes")
        }
        if count > 0 { sections.append(start..<start + count) }
      }
    }
  }
}
