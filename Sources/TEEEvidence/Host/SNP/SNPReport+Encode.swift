import ArcaBytes

// What verifiers and simulated devices do with reports; a guest is compiled without this file.

extension SNPReport: Equatable {
  /// The bytes that the signature covers, the first 672, with reserved bytes zero.
  public func signedBytes() -> [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.u32(version)
    writer.u32(guestSVN)
    writer.u64(policy.rawValue)
    field(familyID, 16, &writer)
    field(imageID, 16, &writer)
    writer.u32(vmpl)
    writer.u32(1)
    field(currentTCB, 8, &writer)
    writer.u64(platformInfo)
    writer.u32(flags)
    writer.zeros(4)
    field(reportData, 64, &writer)
    field(measurement, 48, &writer)
    field(hostData, 32, &writer)
    field(idKeyDigest, 48, &writer)
    field(authorKeyDigest, 48, &writer)
    field(reportID, 32, &writer)
    field(reportIDMigrationAgent, 32, &writer)
    field(reportedTCB, 8, &writer)
    writer.append(version >= 3 ? [cpuid.family, cpuid.model, cpuid.stepping] : [0, 0, 0])
    writer.zeros(21)
    field(chipID, 64, &writer)
    field(committedTCB, 8, &writer)
    field(currentFirmware, 4, &writer)
    field(committedFirmware, 4, &writer)
    field(launchTCB, 8, &writer)
    writer.u64(version >= 5 ? launchMitigations : 0)
    writer.u64(version >= 5 ? currentMitigations : 0)
    writer.zeros(Self.signedByteCount - writer.bytes.count)
    return writer.bytes
  }

  /// The whole report, 1184 bytes.
  public func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.append(signedBytes())
    field(signature.r, 72, &writer)
    field(signature.s, 72, &writer)
    writer.zeros(Self.byteCount - writer.bytes.count)
    return writer.bytes
  }

  /// Compares every field.
  public static func == (left: Self, right: Self) -> Bool {
    left.encoded() == right.encoded() && left.reservedIsZero == right.reservedIsZero
      && left.tailIsZero == right.tailIsZero
  }

  // A field keeps its width whatever it was set to.
  private func field(_ value: [UInt8], _ count: Int, _ writer: inout ByteWriter) {
    writer.append(value.prefix(count))
    writer.zeros(count - value.count)
  }
}

extension SNPPolicy {
  /// Lowest minor version of the ABI that the guest runs on.
  public var abiMinor: UInt8 { UInt8(truncatingIfNeeded: rawValue) }
  /// Lowest major version of the ABI that the guest runs on.
  public var abiMajor: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 8) }
  /// Bit 16: the guest may run with simultaneous multithreading.
  public var allowsSMT: Bool { bit(16) }
  /// Bit 17: reserved, and must be set.
  public var reservedBitIsSet: Bool { bit(17) }
  /// Bit 18: the guest may be associated with a migration agent.
  public var allowsMigrationAgent: Bool { bit(18) }
  /// Bit 19: a debugger may read the guest.
  public var allowsDebug: Bool { bit(19) }
  /// Bit 20: the guest runs on one socket only.
  public var singleSocket: Bool { bit(20) }
  /// Bit 21: CXL devices may be populated.
  public var allowsCXL: Bool { bit(21) }
  /// Bit 22: memory must be encrypted with AES-256-XTS.
  public var requiresAES256XTS: Bool { bit(22) }
  /// Bit 23: running average power limit must be off.
  public var requiresRAPLOff: Bool { bit(23) }
  /// Bit 24: ciphertext hiding must be on.
  public var requiresCiphertextHiding: Bool { bit(24) }
  /// Bit 25: page swapping must be off.
  public var requiresPageSwapOff: Bool { bit(25) }

  private func bit(_ index: UInt64) -> Bool { rawValue >> index & 1 == 1 }
}
