import Crypto

/// The running 384-bit launch digest of a SEV-SNP guest (AMD 56860, section 8.17.2).
///
/// Each page that is added replaces the digest by the SHA-384 of a PAGE_INFO structure that holds
/// the former digest, so the order of the calls counts. Copies go on independently, which lets
/// launches that differ only in their vCPUs share the firmware's part.
public struct SNPLaunchDigest: Sendable, Equatable {
  /// Bytes in the digest.
  public static let byteCount = 48
  /// The guest physical address under which the firmware records every VMSA.
  public static let vmsaGPA: UInt64 = 0xffff_ffff_f000
  /// Guest physical addresses have at most 52 bits.
  private static let gpaEnd: UInt64 = 1 << 52
  private static let noContents = [UInt8](repeating: 0, count: byteCount)

  /// The digest after the pages added so far; 48 bytes.
  public private(set) var value: [UInt8]

  /// Starts a launch: 48 zero bytes.
  public init() {
    value = Self.noContents
  }

  /// Goes on from the digest `value`, which was computed earlier; it must have 48 bytes.
  public init(resuming value: [UInt8]) throws(MeasurementError) {
    guard value.count == Self.byteCount else {
      throw MeasurementError(
        .lengthWrong, "a SEV-SNP launch digest has 48 bytes, but \(value.count) were given")
    }
    self.value = value
  }

  /// Adds memory with measured contents (PAGE_TYPE_NORMAL), from the page-aligned address `gpa` on.
  ///
  /// The last page is filled up with zeros, as guest memory is.
  public mutating func addNormalPages<Contents: RandomAccessCollection>(
    gpa: UInt64, contents: Contents
  ) throws(MeasurementError) where Contents.Element == UInt8 {
    try Self.check(gpa, UInt64(contents.count))
    var address = gpa
    var rest = contents[...]
    var page: [UInt8] = []
    while !rest.isEmpty {
      page.removeAll(keepingCapacity: true)
      page.append(contentsOf: rest.prefix(LaunchLimits.pageBytes))
      rest = rest.dropFirst(LaunchLimits.pageBytes)
      while page.count < LaunchLimits.pageBytes { page.append(0) }
      add(type: 1, gpa: address, contents: Array(SHA384.hash(data: page)))
      address += UInt64(LaunchLimits.pageBytes)
    }
  }

  /// Adds the initial state of one vCPU (PAGE_TYPE_VMSA); `page` has 4,096 bytes.
  public mutating func addVMSA(page: [UInt8]) throws(MeasurementError) {
    guard page.count == LaunchLimits.pageBytes else {
      throw MeasurementError(
        .pageMisaligned, "a VMSA has 4096 bytes, but \(page.count) were given")
    }
    add(type: 2, gpa: Self.vmsaGPA, contents: Array(SHA384.hash(data: page)))
  }

  /// Adds zeroed memory (PAGE_TYPE_ZERO); `gpa` and `byteCount` are multiples of 4,096.
  public mutating func addZeroPages(gpa: UInt64, byteCount: UInt64) throws(MeasurementError) {
    try addEmpty(type: 3, gpa: gpa, byteCount: byteCount)
  }

  /// Adds memory of unmeasured contents (PAGE_TYPE_UNMEASURED); its address alone is measured.
  public mutating func addUnmeasuredPages(gpa: UInt64, byteCount: UInt64) throws(MeasurementError) {
    try addEmpty(type: 4, gpa: gpa, byteCount: byteCount)
  }

  /// Adds the page into which the firmware writes the guest's secrets (PAGE_TYPE_SECRETS).
  public mutating func addSecretsPage(gpa: UInt64) throws(MeasurementError) {
    try addEmpty(type: 5, gpa: gpa, byteCount: UInt64(LaunchLimits.pageBytes))
  }

  /// Adds the page of CPUID results that the firmware checks (PAGE_TYPE_CPUID).
  public mutating func addCPUIDPage(gpa: UInt64) throws(MeasurementError) {
    try addEmpty(type: 6, gpa: gpa, byteCount: UInt64(LaunchLimits.pageBytes))
  }

  private mutating func addEmpty(
    type: UInt8, gpa: UInt64, byteCount: UInt64
  ) throws(MeasurementError) {
    try Self.check(gpa, byteCount)
    guard byteCount % UInt64(LaunchLimits.pageBytes) == 0 else {
      throw MeasurementError(
        .pageMisaligned, "\(byteCount) bytes of guest memory are not whole pages of 4096 bytes")
    }
    for offset in stride(from: 0, to: byteCount, by: LaunchLimits.pageBytes) {
      add(type: type, gpa: gpa + offset, contents: Self.noContents)
    }
  }

  private mutating func add(type: UInt8, gpa: UInt64, contents: [UInt8]) {
    var info = value
    info.reserveCapacity(112)
    info.append(contentsOf: contents)
    // Length of PAGE_INFO, page type, no IMI, no permissions for VMPL 3, 2 and 1, reserved.
    info.append(contentsOf: [0x70, 0, type, 0, 0, 0, 0, 0])
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      info.append(UInt8(truncatingIfNeeded: gpa >> shift))
    }
    value = Array(SHA384.hash(data: info))
  }

  private static func check(_ gpa: UInt64, _ byteCount: UInt64) throws(MeasurementError) {
    guard gpa % UInt64(LaunchLimits.pageBytes) == 0 else {
      throw MeasurementError(
        .pageMisaligned,
        "guest address \(hex(gpa)) is not a multiple of 4096")
    }
    guard gpa < gpaEnd, byteCount <= gpaEnd - gpa else {
      throw MeasurementError(
        .pageMisaligned,
        "\(byteCount) bytes at guest address \(hex(gpa)) end beyond 52 address bits")
    }
  }
}

func hex<Value: BinaryInteger>(_ value: Value) -> String { "0x" + String(value, radix: 16) }
