import Crypto

/// What a SEV-SNP, SEV-ES or SEV guest is launched from, apart from its vCPUs.
///
/// The firmware is hashed once; digests for any number of vCPUs and any CPU model follow from it.
public struct SEVLaunch: Sendable {
  /// The firmware.
  public let firmware: SEVFirmware
  /// The kernel that is booted directly, or nil where the firmware finds one itself.
  public let kernel: SEVKernelHashes?
  /// The hypervisor.
  public let vmm: LaunchVMM

  /// Combines firmware and kernel; refuses a kernel that the firmware could not check.
  public init(
    firmware: SEVFirmware, kernel: SEVKernelHashes? = nil, vmm: LaunchVMM = .qemu
  ) throws(MeasurementError) {
    guard kernel == nil || firmware.hashesTableGPA != nil else {
      throw MeasurementError(
        .kernelHashesUnsupported,
        "a kernel was given, but the firmware has no table for the kernel's hashes, so the host "
          + "could swap it; use OVMF's AmdSev build (OVMF.amdsev.fd)")
    }
    self.firmware = firmware
    self.kernel = kernel
    self.vmm = vmm
  }

  /// The SEV-SNP digest of the firmware image alone, which SNP launches go on from.
  public func snpFirmwareDigest() throws(MeasurementError) -> SNPLaunchDigest {
    var digest = SNPLaunchDigest()
    try digest.addNormalPages(gpa: firmware.gpa, contents: firmware.image)
    return digest
  }

  /// The SEV-SNP launch digest for `vcpus` vCPUs; 48 bytes.
  ///
  /// - Parameters:
  ///   - vcpus: how many vCPUs.
  ///   - cpu: their CPUID signature.
  ///   - features: SEV_FEATURES of the vCPUs; 1 is SEV-SNP and nothing else.
  ///   - firmwareDigest: the firmware's part, if it is known already.
  /// - Returns: the digest in the report's MEASUREMENT field.
  /// - Throws: ``MeasurementError``, where count, firmware or kernel do not fit.
  public func snpDigest(
    vcpus: Int, cpu: CPUSignature, features: UInt64 = 1, firmwareDigest: SNPLaunchDigest? = nil
  ) throws(MeasurementError) -> [UInt8] {
    let all = try snpDigests(
      vcpusMax: vcpus, cpu: cpu, features: features, firmwareDigest: firmwareDigest)
    return all[vcpus - 1]
  }

  /// The SEV-SNP launch digests for 1 to `vcpusMax` vCPUs, in that order.
  ///
  /// Parameters are those of ``snpDigest(vcpus:cpu:features:firmwareDigest:)``.
  public func snpDigests(
    vcpusMax: Int, cpu: CPUSignature, features: UInt64 = 1, firmwareDigest: SNPLaunchDigest? = nil
  ) throws(MeasurementError) -> [[UInt8]] {
    try LaunchLimits.check(vcpus: vcpusMax)
    var digest: SNPLaunchDigest
    if let firmwareDigest { digest = firmwareDigest } else { digest = try snpFirmwareDigest() }
    try addSections(to: &digest)
    let pages = try vmsaPages(cpu: cpu, features: features)
    var digests: [[UInt8]] = []
    for index in 0..<vcpusMax {
      try digest.addVMSA(page: index == 0 ? pages.first : pages.others)
      digests.append(digest.value)
    }
    return digests
  }

  /// The SEV-ES launch digests for 1 to `vcpusMax` vCPUs, in that order; 32 bytes each.
  public func sevESDigests(
    vcpusMax: Int, cpu: CPUSignature
  ) throws(MeasurementError) -> [[UInt8]] {
    try LaunchLimits.check(vcpus: vcpusMax)
    let pages = try vmsaPages(cpu: cpu, features: 0)
    var hash = sevHash()
    var digests: [[UInt8]] = []
    for index in 0..<vcpusMax {
      hash.update(data: index == 0 ? pages.first : pages.others)
      digests.append(Array(hash.finalize()))
    }
    return digests
  }

  /// The SEV-ES launch digest for `vcpus` vCPUs; 32 bytes.
  public func sevESDigest(vcpus: Int, cpu: CPUSignature) throws(MeasurementError) -> [UInt8] {
    try sevESDigests(vcpusMax: vcpus, cpu: cpu)[vcpus - 1]
  }

  /// The SEV launch digest, which does not depend on vCPUs; 32 bytes.
  public func sevDigest() -> [UInt8] { Array(sevHash().finalize()) }

  private func sevHash() -> SHA256 {
    var hash = SHA256()
    hash.update(data: firmware.image)
    if let kernel { hash.update(data: kernel.table) }
    return hash
  }

  private func vmsaPages(
    cpu: CPUSignature, features: UInt64
  ) throws(MeasurementError) -> (first: [UInt8], others: [UInt8]) {
    guard let entry = firmware.apResetVector else {
      throw MeasurementError(
        .firmwareUnsuitable,
        "the firmware has no SEV-ES reset block, so its vCPUs cannot be started; use an OVMF "
          + "build with SEV-ES support")
    }
    return (
      VMSA.page(entry: VMSA.resetVector, cpu: cpu, features: features, vmm: vmm),
      VMSA.page(entry: entry, cpu: cpu, features: features, vmm: vmm)
    )
  }

  private func addSections(to digest: inout SNPLaunchDigest) throws(MeasurementError) {
    guard kernel == nil || firmware.sections.contains(where: { $0.kind == .kernelHashes }) else {
      throw MeasurementError(
        .kernelHashesUnsupported,
        "a kernel was given, but the firmware's SEV metadata has no page for the kernel's hashes; "
          + "use OVMF's AmdSev build (OVMF.amdsev.fd)")
    }
    for section in firmware.sections {
      switch section.kind {
      case .secMemory where vmm == .gce:
        try digest.addUnmeasuredPages(gpa: section.gpa, byteCount: section.byteCount)
      case .secMemory, .svsmCallingArea:
        try digest.addZeroPages(gpa: section.gpa, byteCount: section.byteCount)
      case .secrets:
        try digest.addSecretsPage(gpa: section.gpa)
      case .cpuid:
        if vmm != .ec2 { try digest.addCPUIDPage(gpa: section.gpa) }
      case .kernelHashes:
        try addKernelHashes(section, to: &digest)
      }
    }
    if vmm == .ec2 {
      for section in firmware.sections where section.kind == .cpuid {
        try digest.addCPUIDPage(gpa: section.gpa)
      }
    }
  }

  private func addKernelHashes(
    _ section: SEVMetadataSection, to digest: inout SNPLaunchDigest
  ) throws(MeasurementError) {
    guard let kernel, let table = firmware.hashesTableGPA else {
      try digest.addZeroPages(gpa: section.gpa, byteCount: section.byteCount)
      return
    }
    let page = UInt64(LaunchLimits.pageBytes)
    guard section.byteCount == page, table >= section.gpa, table - section.gpa < page else {
      throw MeasurementError(
        .firmwareMalformed,
        "the firmware's hashes table at \(hex(table)) is not in its page of "
          + "\(section.byteCount) bytes at \(hex(section.gpa))")
    }
    try digest.addNormalPages(
      gpa: section.gpa, contents: try kernel.page(offset: Int(table - section.gpa)))
  }
}
