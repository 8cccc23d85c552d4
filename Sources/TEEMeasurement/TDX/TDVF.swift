import ArcaBytes

/// A part of guest memory that TDVF firmware describes (Intel 344991, TDVF Design Guide,
/// section 11).
public struct TDVFSection: Sendable, Equatable {
  /// What the memory is for.
  public enum Kind: UInt32, Sendable {
    /// Boot firmware volume: the firmware's code.
    case bootFirmware = 0
    /// Configuration firmware volume: UEFI variables.
    case configuration = 1
    /// The hand-off block list in which the VMM describes memory.
    case handOffBlocks = 2
    /// Temporary memory.
    case temporaryMemory = 3
    /// Memory that is added for good.
    case permanentMemory = 4
    /// A payload, such as a kernel, inside the firmware.
    case payload = 5
    /// The payload's parameters.
    case payloadParameters = 6
    /// Information about the TD.
    case information = 7
    /// The TD's parameters.
    case parameters = 8
  }

  /// Guest physical address of the first byte.
  public let gpa: UInt64
  /// Length in memory, in bytes.
  public let byteCount: UInt64
  /// What the memory is for.
  public let kind: Kind
  /// The contents as they stand in the image; shorter than `byteCount` means zeros follow.
  public let contents: ArraySlice<UInt8>
  /// The contents are measured, not just the addresses.
  public let isExtended: Bool
  /// The memory is added after the launch and is not measured at all.
  public let isAugmented: Bool

  /// A section with measured contents, filled up to whole pages.
  public init(gpa: UInt64, kind: Kind, contents: [UInt8]) {
    let page = LaunchLimits.pageBytes
    self.gpa = gpa
    byteCount = UInt64((contents.count + page - 1) / page * page)
    self.kind = kind
    self.contents = contents[...]
    isExtended = true
    isAugmented = false
  }

  init(
    gpa: UInt64, byteCount: UInt64, kind: Kind, contents: ArraySlice<UInt8>, isExtended: Bool,
    isAugmented: Bool
  ) {
    self.gpa = gpa
    self.byteCount = byteCount
    self.kind = kind
    self.contents = contents
    self.isExtended = isExtended
    self.isAugmented = isAugmented
  }
}

/// A firmware image as a TDX launch sees it.
public struct TDVF: Sendable {
  private static let descriptorEntry = GUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
  private static let sectionsMax = 256

  /// The sections, in the order in which they are measured.
  public let sections: [TDVFSection]

  /// Takes sections as they are, for launches that no firmware describes.
  public init(sections: [TDVFSection]) {
    self.sections = sections
  }

  /// Reads the descriptor in the firmware file `image`.
  public init(image: [UInt8]) throws(MeasurementError) {
    guard image.count <= LaunchLimits.firmwareBytesMax else {
      throw MeasurementError(
        .firmwareMalformed, "the firmware has \(image.count) bytes, expected 64 MiB at most")
    }
    guard let offset = try FirmwareTable(image: image).u32(Self.descriptorEntry) else {
      throw MeasurementError(
        .firmwareUnsuitable,
        "the firmware has no TDVF descriptor, so it cannot start a TD; use OVMF's IntelTdx build "
          + "(OVMF.inteltdx.fd)")
    }
    guard offset <= image.count else {
      throw MeasurementError(
        .firmwareMalformed,
        "the firmware's TDVF descriptor lies \(offset) bytes before the end of \(image.count)")
    }
    var reader = FieldReader(
      image[(image.count - Int(offset))...], "the firmware's TDVF descriptor", .firmwareMalformed)
    guard try reader.slice(4) == Array("TDVF".utf8)[...] else {
      throw reader.refused("lacks its signature TDVF")
    }
    let byteCount = try reader.u32()
    let version = try reader.u32()
    let count = try reader.u32()
    guard version == 1 else { throw reader.refused("has version \(version), expected 1") }
    guard count <= Self.sectionsMax, UInt64(byteCount) >= 16 + 32 * UInt64(count) else {
      throw reader.refused("claims \(count) sections in \(byteCount) bytes")
    }
    var sections: [TDVFSection] = []
    var total: UInt64 = 0
    for _ in 0..<count {
      let section = try Self.section(&reader, image: image)
      total += section.byteCount
      guard total <= LaunchLimits.sectionBytesMax else {
        throw reader.refused("describes more than 256 MiB of memory")
      }
      sections.append(section)
    }
    self.sections = sections
  }

  private static func section(
    _ reader: inout FieldReader, image: [UInt8]
  ) throws(MeasurementError) -> TDVFSection {
    let offset = Int(try reader.u32())
    let rawBytes = Int(try reader.u32())
    let gpa = try reader.u64()
    let byteCount = try reader.u64()
    let type = try reader.u32()
    let attributes = try reader.u32()
    guard let kind = TDVFSection.Kind(rawValue: type) else {
      throw reader.refused("has a section of unknown type \(type)")
    }
    let page = UInt64(LaunchLimits.pageBytes)
    guard gpa % page == 0, byteCount % page == 0, gpa < 1 << 52,
      byteCount <= LaunchLimits.sectionBytesMax, rawBytes <= byteCount
    else {
      throw reader.refused("has a section of \(byteCount) bytes at \(hex(gpa))")
    }
    guard rawBytes == 0 || offset + rawBytes <= image.count else {
      throw reader.refused(
        "has a section that ends at \(offset + rawBytes) of \(image.count) bytes")
    }
    // Bit 0 is MR.EXTEND, bit 1 is PAGE.AUG.
    guard attributes & ~3 == 0 else {
      throw reader.refused("has a section with unknown attributes \(hex(attributes))")
    }
    return TDVFSection(
      gpa: gpa, byteCount: byteCount, kind: kind,
      contents: rawBytes == 0 ? [] : image[offset..<offset + rawBytes],
      isExtended: attributes & 1 != 0, isAugmented: attributes & 2 != 0)
  }
}
