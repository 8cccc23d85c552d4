import ArcaBytes
import Foundation
import TEEMeasurement
import Testing

@Suite(.enabled(if: LaunchVectors.areExpected, "the folder of vectors is absent"))
struct TDXVectorTests {
  struct Measurements: Decodable {
    struct Section: Decodable {
      let dataOffset: Int
      let rawSize: Int
      let gpa: String
      let size: UInt64
      let type: UInt32
      let attributes: UInt32
    }
    struct Row: Decodable {
      let firmware: String
      let kernel: String
      let initrd: String?
      let cmdline: String
      let memoryMib: Int
      let kernelVariant: String
      let mrtdSinglePass: String
      let mrtdTwoPass: String
      let kernelAuthenticodeSha384: String
      let rtmr1: String
      let rtmr2: String
    }
    let tdvfSections: [String: [Section]]
    let vectors: [Row]
  }

  private static func measurements() throws -> Measurements {
    // Names of firmware files are keys here, which the decoder's key strategy must leave alone.
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .custom { path in
      guard let last = path.last, !last.stringValue.contains(".") else {
        return path[path.count - 1]
      }
      let words = last.stringValue.split(separator: "_")
      let name = words.dropFirst().reduce(String(words[0])) { $0 + $1.capitalized }
      return Key(stringValue: name)
    }
    return try decoder.decode(
      Measurements.self, from: Data(LaunchVectors.bytes("tdx_measurements.json")))
  }

  private struct Key: CodingKey {
    let stringValue: String
    let intValue: Int? = nil
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  @Test(.enabled(if: LaunchVectors.has("tdx_measurements.json"))) func sections() throws {
    for (name, expected) in try Self.measurements().tdvfSections {
      let sections = try TDVF(image: LaunchVectors.input(name)).sections
      #expect(sections.map(\.byteCount) == expected.map(\.size))
      #expect(sections.map { "0x" + String($0.gpa, radix: 16) } == expected.map(\.gpa))
      #expect(sections.map(\.kind.rawValue) == expected.map(\.type))
      #expect(sections.map(\.contents.count) == expected.map(\.rawSize))
      #expect(sections.map(\.isExtended) == expected.map { $0.attributes & 1 != 0 })
    }
  }

  @Test(.enabled(if: LaunchVectors.has("tdx_measurements.json"))) func measurementsOfDirectBoots()
    throws
  {
    let rows = try Self.measurements().vectors
    try #require(!rows.isEmpty)
    for row in rows {
      let firmware = try TDVF(image: LaunchVectors.input(row.firmware))
      #expect(Hex.encode(firmware.mrtd()) == row.mrtdSinglePass)
      #expect(Hex.encode(firmware.mrtd(order: .twoPass)) == row.mrtdTwoPass)
      let boot = try TDXDirectBoot(
        kernel: LaunchVectors.input(row.kernel), initrd: row.initrd.map(LaunchVectors.input),
        commandLine: row.cmdline,
        serving: row.kernelVariant.hasPrefix("unpatched")
          ? .unpatched : .patched(memoryMiB: row.memoryMib))
      #expect(Hex.encode(boot.kernelDigest) == row.kernelAuthenticodeSha384, "\(row)")
      #expect(Hex.encode(try boot.rtmr1()) == row.rtmr1, "\(row)")
      #expect(Hex.encode(try boot.rtmr2()) == row.rtmr2, "\(row)")
    }
  }

  @Test(.enabled(if: LaunchVectors.has("tdx_rtmr_event_digests.json"))) func fixedEvents() throws {
    let expected = try JSONDecoder().decode(
      [String: String].self, from: Data(LaunchVectors.bytes("tdx_rtmr_event_digests.json")))
    for (name, digest) in RTMREvent.unsetSecureBootVariables {
      #expect(Hex.encode(digest) == expected[name], "\(name)")
    }
    for (name, digest) in [
      ("separator", RTMREvent.separator),
      ("Calling EFI Application from Boot Option", RTMREvent.callingApplication),
      ("Exit Boot Services Invocation", RTMREvent.exitBootServicesInvocation),
      ("Exit Boot Services Returned with Success", RTMREvent.exitBootServicesSuccess),
      ("BootOrder 0000 (raw 2 bytes)", RTMREvent.bootOrder),
    ] {
      #expect(Hex.encode(digest) == expected[name], "\(name)")
    }
  }

  /// QEMU's own log of a direct boot: RTMR0 follows from what it says about the machine.
  @Test(.enabled(if: LaunchVectors.has("eventlog/dstack-qemu-8.2-no-rtmr3/event_log.json")))
  func machineEventsOfARealBoot() throws {
    struct Event: Decodable {
      let imr: Int
      let digest: String
      let event: String
    }
    struct Expected: Decodable {
      let rtmr: [String]
    }
    let folder = "eventlog/dstack-qemu-8.2-no-rtmr3"
    let events = try LaunchVectors.decode([Event].self, "\(folder)/event_log.json")
    let expected = try LaunchVectors.decode(Expected.self, "\(folder)/vector.json")
    let digests = try events.filter { $0.imr == 0 }.map { try hexBytes($0.digest) }
    try #require(digests.count == 13)
    #expect(Array(digests[2...6]) == RTMREvent.unsetSecureBootVariables.map(\.digest))
    let machine = TDXMachineEvents(
      handOffBlocks: digests[0], configuration: digests[1], acpi: Array(digests[8...10]),
      bootOptions: Array(digests[11...]))
    #expect(Hex.encode(try machine.rtmr0()) == expected.rtmr[0])
    for index in 1...2 {
      let replayed = try RTMR(
        replaying: events.filter { $0.imr == index }.map { try hexBytes($0.digest) })
      #expect(Hex.encode(replayed.value) == expected.rtmr[index])
    }
  }
}
