import ArcaBytes
import Crypto

/// The table of SHA-256 digests by which AmdSev firmware checks a directly booted kernel.
///
/// QEMU writes it (`kernel-hashes=on`), the launch measures it, and OVMF's blob verifier compares
/// what it is then served with it. Order and layout follow QEMU's `target/i386/sev.c`.
public struct SEVKernelHashes: Sendable, Equatable {
  /// Bytes in the table: header, three entries, and padding to a multiple of 16.
  public static let tableBytes = 176
  private static let header = GUID("9438d606-4f22-4cc9-b479-a793d411fd21")
  private static let commandLineEntry = GUID("97d02dd8-bd20-4c94-aa78-e7714d36ab2a")
  private static let initrdEntry = GUID("44baf731-3a2f-4bd7-9af1-41e29169781d")
  private static let kernelEntry = GUID("4de79437-abd2-427f-b835-d5b172d2045b")
  private static let guidAndLengthBytes = 18

  /// SHA-256 of the kernel's file; 32 bytes.
  public let kernel: [UInt8]
  /// SHA-256 of the initrd's file, or of no bytes where there is none; 32 bytes.
  public let initrd: [UInt8]
  /// SHA-256 of the command line and its terminating NUL; 32 bytes.
  public let commandLine: [UInt8]

  /// Takes digests that were computed elsewhere; each must have 32 bytes.
  public init(
    kernelSHA256 kernel: [UInt8], initrdSHA256 initrd: [UInt8],
    commandLineSHA256 commandLine: [UInt8]
  ) throws(MeasurementError) {
    for digest in [kernel, initrd, commandLine] where digest.count != SHA256.byteCount {
      throw MeasurementError(
        .lengthWrong, "a SHA-256 digest has 32 bytes, but \(digest.count) were given")
    }
    self.kernel = kernel
    self.initrd = initrd
    self.commandLine = commandLine
  }

  /// Hashes the files' bytes; an absent initrd is no bytes, an absent command line is empty.
  public init(kernel: [UInt8], initrd: [UInt8] = [], commandLine: String = "") {
    self.kernel = Array(SHA256.hash(data: kernel))
    self.initrd = Array(SHA256.hash(data: initrd))
    self.commandLine = Array(SHA256.hash(data: Array(commandLine.utf8) + [0]))
  }

  /// The table as QEMU writes it; 176 bytes.
  public var table: [UInt8] {
    let entryBytes = Self.guidAndLengthBytes + SHA256.byteCount
    let usedBytes = Self.guidAndLengthBytes + 3 * entryBytes
    var table = ByteWriter(capacity: Self.tableBytes)
    table.append(Self.header.bytes)
    table.u16(UInt16(usedBytes))
    for (guid, digest) in [
      (Self.commandLineEntry, commandLine), (Self.initrdEntry, initrd), (Self.kernelEntry, kernel),
    ] {
      table.append(guid.bytes)
      table.u16(UInt16(entryBytes))
      table.append(digest)
    }
    table.zeros(Self.tableBytes - usedBytes)
    return table.bytes
  }

  /// A page of zeros with the table at `offset`; SEV-SNP measures the whole page.
  public func page(offset: Int) throws(MeasurementError) -> [UInt8] {
    guard offset >= 0, offset <= LaunchLimits.pageBytes - Self.tableBytes else {
      throw MeasurementError(
        .firmwareMalformed,
        "the SEV hashes table of 176 bytes does not fit into a page at offset \(offset)")
    }
    var page = ByteWriter(capacity: LaunchLimits.pageBytes)
    page.zeros(offset)
    page.append(table)
    page.zeros(LaunchLimits.pageBytes - page.bytes.count)
    return page.bytes
  }
}
