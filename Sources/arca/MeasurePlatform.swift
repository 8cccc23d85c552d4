import ArcaBytes
import ArgumentParser
import Crypto
import Foundation
import TEEMeasurement

/// The options that name a platform, and the measurement that evidence of it must show.
///
/// `arca measure` takes them where it is given a firmware or an enclave instead of an image.
struct MeasurePlatform: ParsableArguments {
  /// The TEEs that a platform can be measured for.
  enum TEE: String, ExpressibleByArgument, CaseIterable {
    case snp, sevES = "sev-es", sev, tdx, sgx
    /// Of this installation's own files alone.
    case simulatedSNP = "sim-snp"
    case simulatedTDX = "sim-tdx"
    case simulatedSGX = "sim-sgx"
  }

  @Option(
    help: ArgumentHelp(
      "The TEE: snp, tdx, sev-es, sev, sgx, or sim-snp, sim-tdx, sim-sgx with an IMAGE; give it "
        + "again for a table of several."))
  var tee: [TEE] = []

  @Option(help: "The firmware: an OVMF file, AmdSev build for snp, sev-es, sev; with TDVF for tdx.")
  var firmware: String?

  @Option(help: "The firmware for tdx in a table, where it is another one.")
  var tdxFirmware: String?

  @Option(help: "How many vCPUs the TEE has.")
  var vcpus: Int?

  @Option(help: "QEMU's name of the CPU model, such as EPYC-Milan or EPYC-Genoa.")
  var cpuModel: String?

  @Option(help: "The CPUID signature in place of a model, such as 0x00a00f11.")
  var cpuSignature: HexNumber?

  @Option(help: "The kernel that is booted directly.")
  var kernel: String?

  @Option(help: "The kernel's initrd.")
  var initrd: String?

  @Option(help: "The kernel's command line.")
  var append: String?

  @Option(help: "SEV_FEATURES of the vCPUs (snp); bit 0 is SEV-SNP.")
  var guestFeatures = HexNumber(value: 1)

  @Option(help: "The hypervisor that sets up vCPUs: qemu, ec2 or gce.")
  var vmm = LaunchVMM.qemu

  @Option(help: "The order of pages in MRTD: singlePass (upstream) or twoPass (QEMU 8.x trees).")
  var pageOrder = TDVF.PageOrder.singlePass

  @Option(
    help: "Memory in MiB where QEMU patches the kernel's header (before etc/boot/kernel; tdx).")
  var patchedForMemory: Int?

  @Option(help: "Gramine's libpal.so (sgx).")
  var libpal: String?

  @Option(help: "The manifest as gramine-sgx-sign wrote it, NAME.manifest.sgx (sgx).")
  var sgxManifest: String?

  @Option(help: "Sign the enclave with this RSA-3072 key of exponent 3, in PEM (sgx).")
  var signKey: String?

  @Option(help: "The SIGSTRUCT to write where the enclave is signed (sgx).")
  var sigstruct: String?

  @Option(help: "The date in the SIGSTRUCT, YYYYMMDD (sgx).")
  var signDate = "20260101"

  @Flag(help: "Print every CPU model and 1 to --vcpus vCPUs (64 unless given), as JSON.")
  var table = false

  @Option(help: "The release that a table is for.")
  var release = "unnamed"

  /// Prints the measurement for people, or as JSON.
  func printMeasurement(json: Bool) throws {
    let reference = try measured()
    if json || table {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      print(String(decoding: try encoder.encode(reference), as: UTF8.self))
      return
    }
    for value in reference.values {
      let models = cpuModel ?? value.cpuModels?.first
      let parts = [value.tee, models, value.vcpus.map { $0 == 1 ? "1 vCPU" : "\($0) vCPUs" }]
      print("platform measurement: " + parts.compactMap { $0 }.joined(separator: ", "))
      for (name, digest) in value.digests.sorted(by: { $0.key < $1.key }) {
        print("  \(name.padding(toLength: 11, withPad: " ", startingAt: 0)) \(digest)")
      }
    }
  }

  /// The reference values that the options describe.
  func measured() throws -> ReferenceValues {
    guard !tee.isEmpty else {
      throw ValidationError("--tee: expected snp, sev-es, sev, tdx or sgx")
    }
    guard table || tee.count == 1 else { throw ValidationError("several --tee need --table") }
    let files = try Files(self)
    var values: [ReferenceValue] = []
    do {
      for kind in TEE.allCases where tee.contains(kind) {
        values += try measured(kind, files)
      }
    } catch let error as MeasurementError {
      throw CommandError(error.detail)
    }
    return ReferenceValues(
      release: release, inputs: files.digests, commandLine: append ?? "", values: values)
  }

  private func measured(_ kind: TEE, _ files: Files) throws -> [ReferenceValue] {
    switch kind {
    case .snp: return try sevValues(kind, files)
    case .sevES, .sev: return try sevValues(kind, files).map(bindingWorkload)
    case .tdx:
      let image = try files.tdxFirmware ?? files.require(files.firmware, "--firmware", for: kind)
      let boot = try files.kernel.map {
        try TDXDirectBoot(
          kernel: $0, initrd: files.initrd, commandLine: append ?? "",
          serving: patchedForMemory.map { .patched(memoryMiB: $0) } ?? .unpatched)
      }
      return [
        try ReferenceValue.tdx(firmware: TDVF(image: image), boot: boot, order: pageOrder)
      ]
    case .simulatedSNP, .simulatedTDX, .simulatedSGX:
      throw ValidationError("--tee \(kind.rawValue): give an IMAGE in place of --firmware")
    case .sgx:
      let manifest = try GramineManifest(
        files.require(files.sgxManifest, "--sgx-manifest", for: kind))
      let enclave = try GramineEnclave(
        manifest: manifest, libpal: files.require(files.libpal, "--libpal", for: kind))
      return [ReferenceValue.sgx(enclave, mrsigner: try sign(enclave, manifest)?.mrsigner)]
    }
  }

  /// Signs the enclave and writes its SIGSTRUCT, where the options ask for it.
  private func sign(
    _ enclave: GramineEnclave, _ manifest: GramineManifest
  ) throws -> Sigstruct? {
    guard let signKey, let sigstruct else {
      guard signKey == nil, sigstruct == nil else {
        throw ValidationError("--sign-key and --sigstruct belong together")
      }
      return nil
    }
    guard signDate.count == 8, signDate.allSatisfy(\.isNumber),
      let date = UInt32(signDate, radix: 16)
    else { throw ValidationError("--sign-date \(signDate): expected YYYYMMDD") }
    guard let key = try? String(contentsOfFile: signKey, encoding: .utf8) else {
      throw CommandError("\(signKey): cannot be read")
    }
    let signed = try Sigstruct(
      signing: EnclaveIdentity(manifest: manifest, mrenclave: enclave.mrenclave(), date: date),
      keyPEM: key)
    guard FileManager.default.createFile(atPath: sigstruct, contents: Data(signed.bytes)) else {
      throw CommandError("\(sigstruct): cannot be written")
    }
    return signed
  }

  /// Names the workload digest that the command line, and so the launch digest, covers: a key
  /// broker's rules compare it.
  private func bindingWorkload(_ value: ReferenceValue) -> ReferenceValue {
    let words = (append ?? "").split(separator: " ").filter { $0.hasPrefix("arca.workload=") }
    guard words.count == 1, let digest = words[0].split(separator: "=").last else { return value }
    var value = value
    value.digests["workload"] = String(digest)
    return value
  }

  private func sevValues(_ kind: TEE, _ files: Files) throws -> [ReferenceValue] {
    let launch = try SEVLaunch(
      firmware: SEVFirmware(image: files.require(files.firmware, "--firmware", for: kind)),
      kernel: files.kernel.map {
        SEVKernelHashes(kernel: $0, initrd: files.initrd ?? [], commandLine: append ?? "")
      }, vmm: vmm)
    if kind == .sev { return [ReferenceValue.sev(launch)] }
    if table {
      return kind == .snp
        ? try ReferenceValue.snp(launch, vcpusMax: vcpus ?? 64, features: guestFeatures.value)
        : try ReferenceValue.sevES(launch, vcpusMax: vcpus ?? 64)
    }
    guard let vcpus else {
      throw ValidationError(
        "--vcpus: the \(kind.rawValue) measurement depends on it; give a number")
    }
    let cpu: CPUSignature
    if let cpuSignature {
      cpu = CPUSignature(rawValue: UInt32(truncatingIfNeeded: cpuSignature.value))
    } else if let cpuModel {
      cpu = try CPUSignature(model: cpuModel)
    } else {
      throw ValidationError(
        "--cpu-model: the \(kind.rawValue) measurement depends on it; expected one of "
          + CPUSignature.models.map(\.name).joined(separator: ", "))
    }
    let digest =
      kind == .snp
      ? try launch.snpDigest(vcpus: vcpus, cpu: cpu, features: guestFeatures.value)
      : try launch.sevESDigest(vcpus: vcpus, cpu: cpu)
    return [
      ReferenceValue(
        tee: kind.rawValue, cpuModels: cpuModel.map { [$0] }, vcpus: vcpus,
        digests: ["measurement": Hex.encode(digest)])
    ]
  }

  /// The files that the options name, read once.
  private struct Files {
    let firmware: [UInt8]?
    let tdxFirmware: [UInt8]?
    let kernel: [UInt8]?
    let initrd: [UInt8]?
    let libpal: [UInt8]?
    let sgxManifest: [UInt8]?

    init(_ options: MeasurePlatform) throws {
      firmware = try Self.read(options.firmware)
      tdxFirmware = try Self.read(options.tdxFirmware)
      kernel = try Self.read(options.kernel)
      initrd = try Self.read(options.initrd)
      libpal = try Self.read(options.libpal)
      sgxManifest = try Self.read(options.sgxManifest)
      guard kernel != nil || (initrd == nil && options.append == nil) else {
        throw ValidationError("--initrd and --append need --kernel")
      }
    }

    var digests: [String: String] {
      let all = [
        "firmware": firmware, "tdx-firmware": tdxFirmware, "kernel": kernel, "initrd": initrd,
        "libpal": libpal, "sgx-manifest": sgxManifest,
      ]
      return all.compactMapValues { $0.map { Hex.encode(Array(SHA256.hash(data: $0))) } }
    }

    func require(_ file: [UInt8]?, _ option: String, for kind: TEE) throws -> [UInt8] {
      guard let file else { throw ValidationError("\(option): \(kind.rawValue) needs this file") }
      return file
    }

    private static func read(_ path: String?) throws -> [UInt8]? {
      guard let path else { return nil }
      guard let content = FileManager.default.contents(atPath: path) else {
        throw CommandError("\(path): cannot be read")
      }
      return [UInt8](content)
    }
  }
}

/// A number in decimal, or in hexadecimal after 0x.
struct HexNumber: ExpressibleByArgument {
  let value: UInt64

  init(value: UInt64) {
    self.value = value
  }

  init?(argument: String) {
    let number =
      argument.hasPrefix("0x") ? UInt64(argument.dropFirst(2), radix: 16) : UInt64(argument)
    guard let number else { return nil }
    value = number
  }

  var defaultValueDescription: String { "0x" + String(value, radix: 16) }
}

extension LaunchVMM: ExpressibleByArgument {}
extension TDVF.PageOrder: ExpressibleByArgument {}
