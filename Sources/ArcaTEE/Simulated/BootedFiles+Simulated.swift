import ArcaBytes
import Crypto
import TEEMeasurement

/// What a simulated launch measures.
///
/// Hardware runs vendor firmware that checks or measures the kernel; here QEMU boots the kernel
/// directly, so that the first pages are those of the firmware that QEMU loads for that: SeaBIOS
/// (`bios-256k.bin`), ending at 4 GiB, and the option ROMs `kvmvapic.bin` and `pvh.bin`, each on a
/// page boundary, the first at 0xc0000. The amount of memory is not measured.
extension BootedFiles {
  private static let optionROMStart: UInt64 = 0xc0000
  private static let hashesTableGPA: UInt64 = 0x80_0000

  /// The firmware's files with their guest physical addresses, in the order of measuring.
  private var placedFirmware: [(gpa: UInt64, contents: [UInt8])] {
    guard let bios = firmware.first else { return [] }
    var placed = [(1 << 32 - UInt64(bios.count), bios)]
    var address = Self.optionROMStart
    for rom in firmware.dropFirst() {
      placed.append((address, rom))
      address += UInt64((rom.count + 4095) / 4096 * 4096)
    }
    return placed
  }

  /// The SNP launch digest (AMD 56860, section 8.17.2) of these pages.
  ///
  /// 1. the firmware, PAGE_TYPE_NORMAL;
  /// 2. the table of kernel hashes, laid out as QEMU lays out SEV's, PAGE_TYPE_NORMAL at
  ///    0x80_0000: SHA-256 of `vmlinux`, of `initrd`, and of the command line with its NUL;
  /// 3. a VMSA for each virtual processor, PAGE_TYPE_VMSA, with CPU signature 0 and SEV_FEATURES 1.
  func simulatedSNP(vcpus: Int) throws(MeasurementError) -> LaunchMeasurement {
    var digest = SNPLaunchDigest()
    for (gpa, contents) in placedFirmware {
      try digest.addNormalPages(gpa: gpa, contents: contents)
    }
    try digest.addNormalPages(gpa: Self.hashesTableGPA, contents: try kernelHashes().table)
    let vmsa = VMSA.page(
      entry: VMSA.resetVector, cpu: CPUSignature(rawValue: 0), features: 1)
    for _ in 0..<vcpus { try digest.addVMSA(page: vmsa) }
    return LaunchMeasurement(digest.value)
  }

  /// MRTD of the firmware's pages, each measured with its contents, and the registers.
  ///
  /// They hold what events would extend them with:
  ///
  /// - RTMR0, the machine: the text `vcpus=N`, then the separator;
  /// - RTMR1, the kernel: SHA-384 of `vmlinux`;
  /// - RTMR2, what the kernel is given: the command line as an EFI stub measures it, then SHA-384
  ///   of `initrd`;
  /// - RTMR3, the running guest: nothing.
  func simulatedTDX(vcpus: Int) throws -> LaunchMeasurement {
    let sections = placedFirmware.map {
      TDVFSection(gpa: $0.gpa, kind: .bootFirmware, contents: $0.contents)
    }
    let machine = RTMREvent.digest(Array("vcpus=\(vcpus)".utf8))
    let kernel = try Self.hash(guest + "/" + kind.kernelFile, SHA384())
    let initrd = try Self.hash(guest + "/initrd", SHA384())
    return LaunchMeasurement(
      TDVF(sections: sections).mrtd(),
      runtimeRegisters: [
        try RTMR(replaying: [machine, RTMREvent.separator]).value,
        try RTMR(replaying: [kernel]).value,
        try RTMR(replaying: [RTMREvent.commandLine(commandLine), initrd]).value,
        RTMR().value,
      ])
  }
}
