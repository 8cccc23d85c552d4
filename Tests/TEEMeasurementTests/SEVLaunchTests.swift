import ArcaBytes
import Crypto
import TEEMeasurement
import Testing

@Suite struct SEVLaunchTests {
  private let kernel = SEVKernelHashes(kernel: [1, 2, 3], initrd: [4], commandLine: "quiet")

  private func code(_ body: () throws -> Void) -> MeasurementError.Code? {
    #expect(throws: MeasurementError.self, performing: body)?.code
  }

  @Test func oneRunGivesTheDigestsOfEveryVCPUCount() throws {
    let launch = try SEVLaunch(
      firmware: SEVFirmware(image: FirmwareImage.amdSev.bytes()), kernel: kernel)
    let cpu = try CPUSignature(model: "EPYC-Genoa")
    let all = try launch.snpDigests(vcpusMax: 64, cpu: cpu)
    #expect(Set(all).count == 64)
    for vcpus in [1, 2, 64] {
      #expect(try launch.snpDigest(vcpus: vcpus, cpu: cpu) == all[vcpus - 1])
    }
    let es = try launch.sevESDigests(vcpusMax: 64, cpu: cpu)
    for vcpus in [1, 2, 64] {
      #expect(try launch.sevESDigest(vcpus: vcpus, cpu: cpu) == es[vcpus - 1])
    }
  }

  @Test func everyInputChangesTheDigest() throws {
    let firmware = try SEVFirmware(image: FirmwareImage.amdSev.bytes())
    var other = FirmwareImage.amdSev.bytes()
    other[0] ^= 1
    func digest(
      _ image: SEVFirmware, _ kernel: SEVKernelHashes?, _ model: String = "EPYC-Milan",
      features: UInt64 = 1, vmm: LaunchVMM = .qemu
    ) throws -> [UInt8] {
      try SEVLaunch(firmware: image, kernel: kernel, vmm: vmm)
        .snpDigest(vcpus: 2, cpu: CPUSignature(model: model), features: features)
    }
    let digests = [
      try digest(firmware, kernel), try digest(firmware, nil),
      try digest(SEVFirmware(image: other), kernel), try digest(firmware, kernel, "EPYC-Turin"),
      try digest(firmware, kernel, features: 0x21), try digest(firmware, kernel, vmm: .ec2),
      try digest(firmware, kernel, vmm: .gce),
      try digest(
        firmware, SEVKernelHashes(kernel: [1, 2, 4], initrd: [4], commandLine: "quiet")),
      try digest(firmware, SEVKernelHashes(kernel: [1, 2, 3], commandLine: "quiet")),
      try digest(firmware, SEVKernelHashes(kernel: [1, 2, 3], initrd: [4])),
    ]
    #expect(Set(digests).count == digests.count)
  }

  @Test func firmwareWithoutAPlaceForHashesRefusesKernels() throws {
    var image = FirmwareImage.amdSev
    image.entries.removeFirst()
    let noTable = try SEVFirmware(image: image.bytes())
    #expect(
      code { _ = try SEVLaunch(firmware: noTable, kernel: kernel) } == .kernelHashesUnsupported)
    image = .amdSev
    image.sevSections.removeLast()
    let noPage = try SEVLaunch(firmware: SEVFirmware(image: image.bytes()), kernel: kernel)
    let cpu = try CPUSignature(model: "EPYC")
    #expect(code { _ = try noPage.snpDigest(vcpus: 1, cpu: cpu) } == .kernelHashesUnsupported)
    image = .amdSev
    image.sevSections[4].0 = 0x820000
    let elsewhere = try SEVLaunch(firmware: SEVFirmware(image: image.bytes()), kernel: kernel)
    #expect(code { _ = try elsewhere.snpDigest(vcpus: 1, cpu: cpu) } == .firmwareMalformed)
  }

  @Test func impossibleRequestsAreRefused() throws {
    let launch = try SEVLaunch(firmware: SEVFirmware(image: FirmwareImage.amdSev.bytes()))
    let cpu = try CPUSignature(model: "EPYC")
    for vcpus in [-1, 0, 4097] {
      #expect(code { _ = try launch.snpDigest(vcpus: vcpus, cpu: cpu) } == .vcpuCount)
      #expect(code { _ = try launch.sevESDigest(vcpus: vcpus, cpu: cpu) } == .vcpuCount)
    }
    #expect(code { _ = try CPUSignature(model: "EPYC-Naples") } == .cpuModelUnknown)
    var image = FirmwareImage.amdSev
    image.entries.removeLast()
    let noReset = try SEVLaunch(firmware: SEVFirmware(image: image.bytes()))
    #expect(code { _ = try noReset.snpDigest(vcpus: 1, cpu: cpu) } == .firmwareUnsuitable)
  }

  @Test func damagedFirmwareIsRefused() throws {
    let good = FirmwareImage.amdSev
    #expect(code { _ = try SEVFirmware(image: []) } == .firmwareMalformed)
    #expect(code { _ = try SEVFirmware(image: good.bytes() + [0]) } == .firmwareMalformed)
    var damages: [(inout FirmwareImage) -> Void] = [
      { $0.entries.append($0.entries[0]) }, { $0.entries[1].data = [1, 2] },
    ]
    for section in [(0x800001, 0x1000, 1), (0x800000, 0x1001, 1), (0x800000, 0x1000, 7)] {
      damages.append {
        $0.sevSections[0] = (UInt32(section.0), UInt32(section.1), UInt32(section.2))
      }
    }
    damages.append { $0.sevSections[0] = (0, 0xffff_f000, 1) }
    for damage in damages {
      var image = good
      damage(&image)
      #expect(code { _ = try SEVFirmware(image: image.bytes()) } == .firmwareMalformed)
    }
    // The count of sections, the version and the signature of the descriptor.
    for (offset, value) in [(0x10c, 0xff), (0x108, 2), (0x100, 0)] as [(Int, UInt8)] {
      var bytes = good.bytes()
      bytes[offset] = value
      #expect(code { _ = try SEVFirmware(image: bytes) } == .firmwareMalformed, "\(offset)")
    }
  }

  @Test func theRunningDigestTakesWholePages() throws {
    var digest = SNPLaunchDigest()
    #expect(code { try digest.addNormalPages(gpa: 1, contents: [0]) } == .pageMisaligned)
    #expect(code { try digest.addNormalPages(gpa: 1 << 52, contents: [0]) } == .pageMisaligned)
    #expect(code { try digest.addZeroPages(gpa: 0, byteCount: 1) } == .pageMisaligned)
    #expect(code { try digest.addVMSA(page: [0]) } == .pageMisaligned)
    #expect(code { digest = try SNPLaunchDigest(resuming: [0]) } == .lengthWrong)
    #expect(digest == SNPLaunchDigest())
    var padded = SNPLaunchDigest()
    try padded.addNormalPages(gpa: 0x1000, contents: [UInt8](repeating: 0, count: 8192))
    try digest.addNormalPages(gpa: 0x1000, contents: [UInt8](repeating: 0, count: 4097))
    #expect(digest == padded)
    var zero = SNPLaunchDigest()
    try zero.addZeroPages(gpa: 0x1000, byteCount: 8192)
    #expect(zero != padded)
  }

  @Test func wrongLengthsOfKeysAreRefused() throws {
    let digest = [UInt8](repeating: 1, count: 32)
    let half = [UInt8](repeating: 2, count: 16)
    let good = try SEVLaunchMeasure(
      launchDigest: digest, policy: 3, api: (1, 40, 40), nonce: half, integrityKey: half)
    #expect(good.blob.count == 48)
    for (one, two, three) in [(half, half, half), (digest, digest, half), (digest, half, digest)] {
      #expect(
        code {
          _ = try SEVLaunchMeasure(
            launchDigest: one, policy: 3, api: (1, 40, 40), nonce: two, integrityKey: three)
        } == .lengthWrong)
    }
    #expect(
      code {
        _ = try SEVKernelHashes(kernelSHA256: half, initrdSHA256: digest, commandLineSHA256: digest)
      } == .lengthWrong)
    #expect(code { _ = try kernel.page(offset: 4096 - 175) } == .firmwareMalformed)
  }
}
