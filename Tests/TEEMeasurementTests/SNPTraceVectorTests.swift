import ArcaBytes
import Crypto
import Foundation
import TEEMeasurement
import Testing

@Suite(.enabled(if: LaunchVectors.areExpected, "the folder of vectors is absent"))
struct SNPTraceVectorTests {
  struct Trace: Decodable {
    struct Step: Decodable {
      let step: String
      let ld: String
    }
    let firmware: String
    let kernel: String
    let initrd: String
    let append: String
    let vcpus: Int
    let vcpuType: String
    let guestFeatures: UInt64
    let hashesTableGpa: String
    let hashesTable: String
    let hashesPageSha384: String
    let resetEip: String
    let steps: [Step]
  }

  @Test(.enabled(if: LaunchVectors.has("snp_trace.json"))) func everyPartOfALaunch() throws {
    let trace = try LaunchVectors.decode(Trace.self, "snp_trace.json")
    let firmware = try SEVFirmware(image: LaunchVectors.input(trace.firmware))
    #expect(firmware.hashesTableGPA.map { "0x" + String($0, radix: 16) } == trace.hashesTableGpa)
    #expect(firmware.apResetVector.map { "0x" + String($0, radix: 16) } == trace.resetEip)
    let kernel = SEVKernelHashes(
      kernel: try LaunchVectors.input(trace.kernel), initrd: try LaunchVectors.input(trace.initrd),
      commandLine: trace.append)
    #expect(Hex.encode(kernel.table) == trace.hashesTable)
    let offset = Int(try #require(firmware.hashesTableGPA) % 4096)
    let page = try kernel.page(offset: offset)
    #expect(Hex.encode(Array(SHA384.hash(data: page))) == trace.hashesPageSha384)
  }

  @Test(.enabled(if: LaunchVectors.has("snp_trace.json"))) func everyStepByThePublicPrimitive()
    throws
  {
    let trace = try LaunchVectors.decode(Trace.self, "snp_trace.json")
    let firmware = try SEVFirmware(image: LaunchVectors.input(trace.firmware))
    let kernel = SEVKernelHashes(
      kernel: try LaunchVectors.input(trace.kernel), initrd: try LaunchVectors.input(trace.initrd),
      commandLine: trace.append)
    let cpu = try CPUSignature(model: trace.vcpuType)
    var expected = trace.steps.map(\.ld)[...]
    var digest = SNPLaunchDigest()
    try digest.addNormalPages(gpa: firmware.gpa, contents: firmware.image)
    #expect(Hex.encode(digest.value) == expected.popFirst())
    for section in firmware.sections {
      switch section.kind {
      case .secMemory, .svsmCallingArea:
        try digest.addZeroPages(gpa: section.gpa, byteCount: section.byteCount)
      case .secrets: try digest.addSecretsPage(gpa: section.gpa)
      case .cpuid: try digest.addCPUIDPage(gpa: section.gpa)
      case .kernelHashes:
        let page = try kernel.page(offset: Int(try #require(firmware.hashesTableGPA) % 4096))
        try digest.addNormalPages(gpa: section.gpa, contents: page)
      }
      #expect(Hex.encode(digest.value) == expected.popFirst(), "\(section)")
    }
    for index in 0..<trace.vcpus {
      let entry = index == 0 ? VMSA.resetVector : try #require(firmware.apResetVector)
      let page = VMSA.page(entry: entry, cpu: cpu, features: trace.guestFeatures)
      let stored = "vmsa\(index)-\(trace.vcpuType)-gf\(trace.guestFeatures).bin"
      if LaunchVectors.has("inputs/\(stored)") {
        #expect(try page == LaunchVectors.input(stored))
      }
      try digest.addVMSA(page: page)
      #expect(Hex.encode(digest.value) == expected.popFirst(), "vCPU \(index)")
    }
    #expect(expected.isEmpty)
  }
}
