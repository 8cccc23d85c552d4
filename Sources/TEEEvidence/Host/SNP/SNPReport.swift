import ArcaBytes

/// An SEV-SNP attestation report (AMD 56860, ATTESTATION_REPORT), versions 2 to 5.
///
/// Version 4 is read as version 3: it changed no offset. TCB fields stay eight bytes, since their
/// layout depends on the product, which a version 2 report does not name.
public struct SNPReport: Sendable {
  /// Length of a report, in bytes.
  public static let byteCount = SNPReportForm.byteCount
  /// How many of its first bytes the signature covers.
  public static let signedByteCount = 0x2A0

  /// Version of the layout.
  public var version: UInt32
  /// The guest's own security version number, from its ID block.
  public var guestSVN: UInt32 = 0
  /// The policy that the guest was launched under.
  public var policy: SNPPolicy = SNPPolicy(rawValue: 0)
  /// Family identifier from the ID block, 16 bytes.
  public var familyID = [UInt8](repeating: 0, count: 16)
  /// Image identifier from the ID block, 16 bytes.
  public var imageID = [UInt8](repeating: 0, count: 16)
  /// The privilege level that asked for the report, 0 the highest.
  public var vmpl: UInt32 = 0
  /// TCB version that is running, 8 bytes.
  public var currentTCB = [UInt8](repeating: 0, count: 8)
  /// Platform properties: bit 0 SMT, 1 TSME, 2 ECC, 3 RAPL off, 4 ciphertext hiding, 5 alias check.
  public var platformInfo: UInt64 = 0
  /// Bit 0 author key given, bit 1 chip key masked, bits 2 to 4 the signing key.
  public var flags: UInt32 = 0
  /// What the guest asked to have bound, 64 bytes.
  public var reportData = [UInt8](repeating: 0, count: 64)
  /// Launch digest, 48 bytes.
  public var measurement = [UInt8](repeating: 0, count: 48)
  /// What the host bound at launch, 32 bytes.
  public var hostData = [UInt8](repeating: 0, count: 32)
  /// SHA-384 of the key that signed the ID block, 48 bytes; zero where there was none.
  public var idKeyDigest = [UInt8](repeating: 0, count: 48)
  /// SHA-384 of the key that signed the ID key, 48 bytes; zero where there was none.
  public var authorKeyDigest = [UInt8](repeating: 0, count: 48)
  /// The guest's identity for this launch, 32 bytes.
  public var reportID = [UInt8](repeating: 0, count: 32)
  /// The migration agent's identity, 32 bytes of 0xFF where there is none.
  public var reportIDMigrationAgent = [UInt8](repeating: 0xFF, count: 32)
  /// TCB version that the signing key was derived for, 8 bytes.
  public var reportedTCB = [UInt8](repeating: 0, count: 8)
  /// CPUID family, model and stepping; version 3 and later, else zero.
  public var cpuid: (family: UInt8, model: UInt8, stepping: UInt8) = (0, 0, 0)
  /// The chip's identity, 64 bytes; zero where the host masks it.
  public var chipID = [UInt8](repeating: 0, count: 64)
  /// TCB version that cannot be rolled back below, 8 bytes.
  public var committedTCB = [UInt8](repeating: 0, count: 8)
  /// Firmware running: build, minor, major.
  public var currentFirmware: [UInt8] = [0, 0, 0]
  /// Firmware committed: build, minor, major.
  public var committedFirmware: [UInt8] = [0, 0, 0]
  /// TCB version at the time of launch, 8 bytes.
  public var launchTCB = [UInt8](repeating: 0, count: 8)
  /// Mitigations at launch; version 5, else zero.
  public var launchMitigations: UInt64 = 0
  /// Mitigations in effect; version 5, else zero.
  public var currentMitigations: UInt64 = 0
  /// The signature's r and s, 72 bytes each, little-endian.
  public var signature: (r: [UInt8], s: [UInt8]) = (
    [UInt8](repeating: 0, count: 72), [UInt8](repeating: 0, count: 72)
  )
  /// Whether every reserved byte under the signature is zero.
  public private(set) var reservedIsZero = true
  /// Whether every byte after the signature, which nothing covers, is zero.
  public private(set) var tailIsZero = true

  /// An empty report of `version`, to be filled in; not signed.
  public init(version: UInt32) {
    self.version = version
  }

  /// Reads a report that fills `bytes` exactly.
  public init(_ bytes: [UInt8]) throws(EvidenceError) {
    var reader = ByteReader(try SNPReportForm(bytes).bytes)
    do throws(BytesError) {
      version = try reader.u32()
      try readLaunch(&reader)
      try readPlatform(&reader)
      signature = (try reader.array(72), try reader.array(72))
      tailIsZero = try reader.slice(reader.remaining).allSatisfy { $0 == 0 }
    } catch {
      throw EvidenceError(.truncated, "report", at: error.offset)
    }
  }

  private mutating func readLaunch(_ reader: inout ByteReader) throws(BytesError) {
    guestSVN = try reader.u32()
    policy = SNPPolicy(rawValue: try reader.u64())
    familyID = try reader.array(16)
    imageID = try reader.array(16)
    vmpl = try reader.u32()
    try reader.skip(4)
    currentTCB = try reader.array(8)
    platformInfo = try reader.u64()
    flags = try reader.u32()
    try readReserved(4, &reader)
    reportData = try reader.array(64)
    measurement = try reader.array(48)
    hostData = try reader.array(32)
    idKeyDigest = try reader.array(48)
    authorKeyDigest = try reader.array(48)
    reportID = try reader.array(32)
    reportIDMigrationAgent = try reader.array(32)
  }

  private mutating func readPlatform(_ reader: inout ByteReader) throws(BytesError) {
    reportedTCB = try reader.array(8)
    if version >= 3 {
      cpuid = (try reader.u8(), try reader.u8(), try reader.u8())
      try readReserved(21, &reader)
    } else {
      try readReserved(24, &reader)
    }
    chipID = try reader.array(64)
    committedTCB = try reader.array(8)
    currentFirmware = try reader.array(3)
    try readReserved(1, &reader)
    committedFirmware = try reader.array(3)
    try readReserved(1, &reader)
    launchTCB = try reader.array(8)
    if version >= 5 {
      launchMitigations = try reader.u64()
      currentMitigations = try reader.u64()
    }
    try readReserved(Self.signedByteCount - reader.offset, &reader)
  }

  private mutating func readReserved(
    _ count: Int, _ reader: inout ByteReader
  ) throws(BytesError) {
    if try !reader.slice(count).allSatisfy({ $0 == 0 }) { reservedIsZero = false }
  }
}

/// The launch policy of an SNP guest (AMD 56860, POLICY).
public struct SNPPolicy: Sendable, Equatable {
  /// The 64 bits as reported.
  public let rawValue: UInt64

  /// Takes the 64 bits as reported.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }
}
