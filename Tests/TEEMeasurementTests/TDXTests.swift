import TEEMeasurement
import Testing

@Suite struct TDXTests {
  private func code(_ body: () throws -> Void) -> MeasurementError.Code? {
    #expect(throws: MeasurementError.self, performing: body)?.code
  }

  private var firmware: FirmwareImage {
    var image = FirmwareImage()
    image.tdvfSections = [
      (0x1000, 0x3000, 0xffff_d000, 0x3000, 0, 1), (0, 0x1000, 0xffff_c000, 0x1000, 1, 0),
      (0, 0, 0x809000, 0x2000, 2, 0),
    ]
    return image
  }

  @Test func contentsCountOnlyWhereTheyAreExtended() throws {
    let mrtd = try TDVF(image: firmware.bytes()).mrtd()
    var bytes = firmware.bytes()
    bytes[0x1000] ^= 1
    #expect(try TDVF(image: bytes).mrtd() != mrtd)
    bytes = firmware.bytes()
    bytes[0xff0] ^= 1
    let changed = try TDVF(image: bytes)
    #expect(changed.mrtd() == mrtd)
    #expect(try changed.configurationDigest != TDVF(image: firmware.bytes()).configurationDigest)
    #expect(changed.mrtd(order: .twoPass) != mrtd)
  }

  @Test func memoryAddedLaterIsNotMeasured() throws {
    let mrtd = try TDVF(image: firmware.bytes()).mrtd()
    var image = firmware
    image.tdvfSections.append((0, 0, 0x900000, 0x1000, 3, 2))
    #expect(try TDVF(image: image.bytes()).mrtd() == mrtd)
    image.tdvfSections[3].5 = 0
    #expect(try TDVF(image: image.bytes()).mrtd() != mrtd)
  }

  @Test func damagedFirmwareIsRefused() throws {
    #expect(code { _ = try TDVF(image: FirmwareImage.amdSev.bytes()) } == .firmwareUnsuitable)
    #expect(code { _ = try TDVF(image: []) } == .firmwareUnsuitable)
    let damages: [(inout FirmwareImage) -> Void] = [
      { $0.tdvfSections[0].0 = 0x1001 }, { $0.tdvfSections[0].1 = 0x3001 },
      { $0.tdvfSections[0].2 += 1 }, { $0.tdvfSections[0].2 = 1 << 60 },
      { $0.tdvfSections[0].3 += 1 }, { $0.tdvfSections[0].3 = 1 << 40 },
      { $0.tdvfSections[0].4 = 9 }, { $0.tdvfSections[0].5 = 4 },
    ]
    for (index, damage) in damages.enumerated() {
      var image = firmware
      damage(&image)
      #expect(code { _ = try TDVF(image: image.bytes()) } == .firmwareMalformed, "\(index)")
    }
    for (offset, value) in [(0x800, 0), (0x808, 2), (0x80c, 0xff)] as [(Int, UInt8)] {
      var bytes = firmware.bytes()
      bytes[offset] = value
      #expect(code { _ = try TDVF(image: bytes) } == .firmwareMalformed, "\(offset)")
    }
  }

  @Test func registersTakeDigestsOf48Bytes() throws {
    var register = RTMR()
    #expect(register.value == [UInt8](repeating: 0, count: 48))
    #expect(code { try register.extend([UInt8](repeating: 0, count: 32)) } == .lengthWrong)
    try register.extend(RTMREvent.separator)
    #expect(try register == RTMR(replaying: [RTMREvent.separator]))
    #expect(code { _ = try MRConfigID.value(workloadDigest: [1]) } == .lengthWrong)
    let id = try MRConfigID.value(workloadDigest: [UInt8](repeating: 7, count: 32))
    #expect(id == [UInt8](repeating: 7, count: 32) + [UInt8](repeating: 0, count: 16))
  }

  @Test func whatIsNoKernelIsRefused() {
    for kernel in [[], [0x4d, 0x5a], [UInt8](repeating: 0, count: 4096)] as [[UInt8]] {
      for serving in [QEMUKernel.unpatched, .patched(memoryMiB: 2048)] {
        #expect(
          code {
            _ = try TDXDirectBoot(kernel: kernel, initrd: nil, commandLine: "", serving: serving)
          } == .kernelMalformed)
      }
    }
  }
}
