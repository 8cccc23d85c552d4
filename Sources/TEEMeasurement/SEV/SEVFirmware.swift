import ArcaBytes

/// A part of guest memory that firmware asks a SEV-SNP launch to prepare.
public struct SEVMetadataSection: Sendable, Equatable {
  /// What the memory is for (EDK II, `OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm`).
  public enum Kind: UInt32, Sendable {
    /// Memory that the firmware uses before it can validate pages itself.
    case secMemory = 1
    /// The page that receives the guest's secrets.
    case secrets = 2
    /// The page of CPUID results.
    case cpuid = 3
    /// The calling area of a secure VM service module.
    case svsmCallingArea = 4
    /// The page that holds the kernel's hashes.
    case kernelHashes = 0x10
  }

  /// Guest physical address of the first byte.
  public let gpa: UInt64
  /// Length in bytes.
  public let byteCount: UInt64
  /// What the memory is for.
  public let kind: Kind
}

/// An OVMF image as a SEV, SEV-ES or SEV-SNP launch sees it.
public struct SEVFirmware: Sendable {
  private static let hashesTable = GUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
  private static let resetBlock = GUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
  private static let metadata = GUID("dc886566-984a-4798-a75e-5585a7bf67cc")
  private static let sectionsMax = 256

  /// The whole image.
  public let image: [UInt8]
  /// Where the launch must prepare memory, in the order in which it is measured.
  public let sections: [SEVMetadataSection]
  /// Guest physical address of the kernel's hashes; nil where the firmware cannot check a kernel.
  public let hashesTableGPA: UInt64?
  /// Where vCPUs other than the first begin; nil where the firmware does not say.
  public let apResetVector: UInt32?
  /// Guest physical address of the image's first byte; the image ends at 4 GiB.
  public var gpa: UInt64 { 1 << 32 - UInt64(image.count) }

  /// Reads the tables of the OVMF file `image`.
  public init(image: [UInt8]) throws(MeasurementError) {
    guard !image.isEmpty, image.count % LaunchLimits.pageBytes == 0,
      image.count <= LaunchLimits.firmwareBytesMax
    else {
      throw MeasurementError(
        .firmwareMalformed,
        "the firmware has \(image.count) bytes; expected whole pages of 4096 bytes, "
          + "64 MiB at most: give the complete OVMF file")
    }
    let table = try FirmwareTable(image: image)
    self.image = image
    hashesTableGPA = try table.u32(Self.hashesTable).flatMap { $0 == 0 ? nil : UInt64($0) }
    apResetVector = try table.u32(Self.resetBlock)
    guard let offset = try table.u32(Self.metadata) else {
      sections = []
      return
    }
    guard offset <= image.count else {
      throw MeasurementError(
        .firmwareMalformed,
        "the firmware's SEV metadata lies \(offset) bytes before the end of \(image.count)")
    }
    sections = try Self.sections(image[(image.count - Int(offset))...])
  }

  private static func sections(
    _ bytes: ArraySlice<UInt8>
  ) throws(MeasurementError) -> [SEVMetadataSection] {
    var reader = FieldReader(bytes, "the firmware's SEV metadata", .firmwareMalformed)
    guard try reader.slice(4) == Array("ASEV".utf8)[...] else {
      throw reader.refused("lacks its signature ASEV")
    }
    let byteCount = try reader.u32()
    let version = try reader.u32()
    let count = try reader.u32()
    guard version == 1 else { throw reader.refused("has version \(version), expected 1") }
    guard count <= sectionsMax, UInt64(byteCount) >= 16 + 12 * UInt64(count) else {
      throw reader.refused("claims \(count) sections in \(byteCount) bytes")
    }
    var sections: [SEVMetadataSection] = []
    var total: UInt64 = 0
    for _ in 0..<count {
      let gpa = UInt64(try reader.u32())
      let size = UInt64(try reader.u32())
      let type = try reader.u32()
      guard let kind = SEVMetadataSection.Kind(rawValue: type) else {
        throw reader.refused("has a section of unknown type \(type)")
      }
      let page = UInt64(LaunchLimits.pageBytes)
      total += size
      guard gpa % page == 0, size % page == 0, total <= LaunchLimits.sectionBytesMax else {
        throw reader.refused("has a section of \(size) bytes at \(hex(gpa))")
      }
      sections.append(SEVMetadataSection(gpa: gpa, byteCount: size, kind: kind))
    }
    return sections
  }

}
