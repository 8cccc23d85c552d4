import ArcaBytes
import Foundation
import TEEMeasurement
import Testing

@Suite(.enabled(if: LaunchVectors.areExpected, "the folder of vectors is absent"))
struct SEVLaunchVectorTests {
  struct Digests: Decodable {
    struct Row: Decodable {
      let mode: String
      let ovmf: String
      let vcpus: Int?
      let vcpuType: String?
      let kernel: String?
      let initrd: String?
      let append: String?
      let guestFeatures: UInt64?
      let vmm: String
      let extra: [String]
      let digest: String?
      let command: String
    }
    let vectors: [Row]
  }

  @Test(.enabled(if: LaunchVectors.has("sev_launch_digests.json"))) func generatedDigests() throws {
    let rows = try LaunchVectors.decode(Digests.self, "sev_launch_digests.json").vectors
    try #require(!rows.isEmpty)
    for row in rows {
      if let expected = row.digest {
        #expect(try Self.digest(row) == expected, "\(row.command)")
      } else {
        #expect(throws: MeasurementError.self, "\(row.command)") { try Self.digest(row) }
      }
    }
  }

  @Test func kernelIsRefusedWhereItsHashesAreNotMeasured() throws {
    let firmware = try SEVFirmware(image: LaunchVectors.input("OVMF.inteltdx.ms.fd"))
    let refusal = #expect(throws: MeasurementError.self) {
      try SEVLaunch(firmware: firmware, kernel: SEVKernelHashes(kernel: [1]))
        .snpDigest(vcpus: 1, cpu: CPUSignature(model: "EPYC"))
    }
    #expect(refusal?.code == .kernelHashesUnsupported)
  }

  private static func digest(_ row: Digests.Row) throws -> String {
    let kernel = try row.kernel.map {
      SEVKernelHashes(
        kernel: try LaunchVectors.input($0),
        initrd: try row.initrd.map(LaunchVectors.input) ?? [],
        commandLine: row.append ?? "")
    }
    let launch = try SEVLaunch(
      firmware: SEVFirmware(image: LaunchVectors.input(row.ovmf)), kernel: kernel,
      vmm: try #require(LaunchVMM(rawValue: row.vmm.lowercased())))
    var options: [String: String] = [:]
    for index in stride(from: 0, to: row.extra.count, by: 2) {
      options[row.extra[index]] = row.extra[index + 1]
    }
    switch row.mode {
    case "sev": return Hex.encode(launch.sevDigest())
    case "snp:ovmf-hash": return Hex.encode(try launch.snpFirmwareDigest().value)
    case "seves":
      return Hex.encode(
        try launch.sevESDigest(vcpus: #require(row.vcpus), cpu: try cpu(row, options)))
    case "snp":
      let known = try options["--snp-ovmf-hash"].map {
        try SNPLaunchDigest(resuming: try hexBytes($0))
      }
      return Hex.encode(
        try launch.snpDigest(
          vcpus: #require(row.vcpus), cpu: try cpu(row, options),
          features: row.guestFeatures ?? 1, firmwareDigest: known))
    default:
      Issue.record("unknown mode \(row.mode)")
      return ""
    }
  }

  private static func cpu(
    _ row: Digests.Row, _ options: [String: String]
  ) throws -> CPUSignature {
    func number(_ name: String) -> UInt32? {
      options[name].flatMap {
        $0.hasPrefix("0x") ? UInt32($0.dropFirst(2), radix: 16) : UInt32($0)
      }
    }
    if let signature = number("--vcpu-sig") { return CPUSignature(rawValue: signature) }
    if let family = number("--vcpu-family"), let model = number("--vcpu-model"),
      let stepping = number("--vcpu-stepping")
    {
      return CPUSignature(family: family, model: model, stepping: stepping)
    }
    return try CPUSignature(model: row.vcpuType ?? "EPYC")
  }

  struct Upstream: Decodable {
    struct File: Decodable {
      let path: String
      let contentHex: String?

      /// A file without contents in the row is one of the inputs.
      func bytes() throws -> [UInt8] {
        try contentHex.map(hexBytes) ?? LaunchVectors.input(path)
      }
    }
    struct Arguments: Decodable {
      let mode: String
      let vcpus: Int
      let vcpuSig: UInt32?
      let ovmfFile: File
      let kernel: File?
      let initrd: File?
      let append: String?
      let guestFeatures: UInt64
      let snpOvmfHashStr: String
      let vmmType: String
    }
    struct Row: Decodable {
      let test: String
      let args: Arguments
      let digest: String
    }
    let vectors: [Row]
  }

  @Test(.enabled(if: LaunchVectors.has("sev_upstream_tests.json"))) func upstreamDigests() throws {
    let rows = try LaunchVectors.decode(Upstream.self, "sev_upstream_tests.json").vectors
    try #require(!rows.isEmpty)
    for row in rows {
      let arguments = row.args
      let launch = try SEVLaunch(
        firmware: SEVFirmware(image: arguments.ovmfFile.bytes()),
        kernel: try arguments.kernel.map {
          SEVKernelHashes(
            kernel: try $0.bytes(), initrd: try arguments.initrd?.bytes() ?? [],
            commandLine: arguments.append ?? "")
        },
        vmm: try #require(LaunchVMM(rawValue: arguments.vmmType.lowercased())))
      let cpu = CPUSignature(rawValue: arguments.vcpuSig ?? 0)
      let digest: [UInt8]
      switch arguments.mode {
      case "SEV": digest = launch.sevDigest()
      case "SEV_ES": digest = try launch.sevESDigest(vcpus: arguments.vcpus, cpu: cpu)
      default:
        let known = arguments.snpOvmfHashStr
        digest = try launch.snpDigest(
          vcpus: arguments.vcpus, cpu: cpu, features: arguments.guestFeatures,
          firmwareDigest: known.isEmpty ? nil : SNPLaunchDigest(resuming: try hexBytes(known)))
      }
      #expect(Hex.encode(digest) == row.digest, "\(row.test)")
    }
  }

  struct Measures: Decodable {
    struct Row: Decodable {
      let name: String
      let apiMajor: UInt8
      let apiMinor: UInt8
      let buildId: UInt8
      let policy: UInt32
      let tikHex: String
      let nonceHex: String
      let launchDigestSha256: String
      let launchMeasureBlobB64: String
    }
    let vectors: [Row]
  }

  @Test(.enabled(if: LaunchVectors.has("sev_launch_measure.json"))) func launchMeasures() throws {
    let rows = try LaunchVectors.decode(Measures.self, "sev_launch_measure.json").vectors
    try #require(!rows.isEmpty)
    for row in rows {
      let measure = try SEVLaunchMeasure(
        launchDigest: hexBytes(row.launchDigestSha256), policy: row.policy,
        api: (row.apiMajor, row.apiMinor, row.buildId), nonce: hexBytes(row.nonceHex),
        integrityKey: hexBytes(row.tikHex))
      #expect(Data(measure.blob).base64EncodedString() == row.launchMeasureBlobB64, "\(row.name)")
    }
  }
}
