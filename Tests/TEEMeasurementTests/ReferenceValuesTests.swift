import ArcaBytes
import Foundation
import TEEMeasurement
import Testing

@Suite struct ReferenceValuesTests {
  @Test func tableCoversEveryModelAndCount() throws {
    let launch = try SEVLaunch(
      firmware: SEVFirmware(image: FirmwareImage.amdSev.bytes()),
      kernel: SEVKernelHashes(kernel: [1]))
    let values = try ReferenceValue.snp(launch) + ReferenceValue.sevES(launch)
    let models = Set(CPUSignature.models.map(\.name))
    for tee in ["snp", "sev-es"] {
      for vcpus in 1...64 {
        let rows = values.filter { $0.tee == tee && $0.vcpus == vcpus }
        #expect(Set(rows.flatMap { $0.cpuModels ?? [] }) == models)
      }
    }
    let row = try #require(
      values.first {
        $0.tee == "snp" && $0.vcpus == 3 && $0.cpuModels?.contains("EPYC-Genoa") == true
      })
    let digest = try launch.snpDigest(vcpus: 3, cpu: CPUSignature(model: "EPYC-Genoa"))
    #expect(row.digests == ["measurement": Hex.encode(digest)])
  }

  @Test func encodingIsDeterministicAndReadsBack() throws {
    let launch = try SEVLaunch(firmware: SEVFirmware(image: FirmwareImage.amdSev.bytes()))
    func table() throws -> ReferenceValues {
      ReferenceValues(
        release: "1.0", inputs: ["firmware": "00", "kernel": "01", "initrd": "02"],
        commandLine: "quiet", values: [.sev(launch)] + (try ReferenceValue.snp(launch, vcpusMax: 2))
      )
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let once = try encoder.encode(table())
    #expect(try encoder.encode(table()) == once)
    #expect(try JSONDecoder().decode(ReferenceValues.self, from: once) == table())
  }
}
