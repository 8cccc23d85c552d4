import ArcaBytes
import Crypto
import Glibc
import TEEMeasurement

/// The files that a launch boots, measured as they are.
public struct BootedFiles: Sendable {
  /// Firmware files of a simulated launch, beneath the root of the outer container: what QEMU loads
  /// to enter an ELF kernel by its PVH note.
  public static let simulatedFirmwarePaths = [
    "/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/pvh.bin",
  ]

  private let enclaveManifest: [UInt8]
  private let workload: [UInt8]

  /// The kind of TEE.
  public let kind: LaunchKind
  /// SHA-256 of the kernel, the initrd and the file with the command line.
  public let digests: LaunchDescription.GuestDigests
  /// The kernel's command line as it is booted.
  public let commandLine: String
  let firmware: [[UInt8]]
  let guest: String

  /// Reads the firmware and hashes the guest in the folder `guest`.
  ///
  /// - Parameters:
  ///   - kind: The kind of TEE.
  ///   - guest: The folder with kernel, initrd and command line.
  ///   - paths: ``simulatedFirmwarePaths``, the one firmware file that hardware starts, or what
  ///     Gramine loads first; none where `arca-init` takes its place.
  ///   - workload: The workload digest, where the command line binds it.
  ///   - enclaveManifest: An enclave's Gramine manifest.
  /// - Throws: where a file cannot be read; whether they are the right ones is ``check(_:)``'s
  ///   matter.
  public init(
    _ kind: LaunchKind, guest: String, firmware paths: [String], workload: [UInt8],
    enclaveManifest: [UInt8] = []
  ) throws(TEEError) {
    self.kind = kind
    self.guest = guest
    self.workload = workload
    self.enclaveManifest = enclaveManifest
    var images: [[UInt8]] = []
    for path in paths {
      images.append(try System.contents(path, max: LaunchLimits.firmwareBytesMax))
    }
    firmware = images
    let program = try Self.hash(guest + "/" + kind.kernelFile, SHA256())
    guard !kind.isEnclave else {
      digests = LaunchDescription.GuestDigests(enclaveProgram: program)
      commandLine = ""
      return
    }
    let line = try System.contents(guest + "/cmdline", max: 4096)
    digests = LaunchDescription.GuestDigests(
      kernel: program,
      initrd: try Self.hash(guest + "/initrd", SHA256()),
      commandLine: Array(SHA256.hash(data: line)))
    commandLine = Self.text(ofCommandLine: line, kind, workload: workload)
  }

  /// The command line that is booted: the release's, with the kind of TEE that the guest is to ask
  /// and, where evidence has no field for it, the workload digest.
  public static func text(
    ofCommandLine file: [UInt8], _ kind: LaunchKind, workload: [UInt8]
  ) -> String {
    let line = file.last == UInt8(ascii: "\n") ? file.dropLast() : file[...]
    let bound = kind.format == .launchMeasurement ? " arca.workload=" + Hex.encode(workload) : ""
    return String(decoding: line, as: UTF8.self) + " arca.tee=" + kind.rawValue + bound
  }

  /// Refuses a guest that is not the one whose release records `expected`.
  public func check(_ expected: LaunchDescription.GuestDigests) throws(TEEError) {
    let all: [(TEEError.Code, String, [UInt8], [UInt8])] = [
      (.kernelChanged, "kernel (\(kind.kernelFile))", digests.kernel, expected.kernel),
      (.initrdChanged, "initrd", digests.initrd, expected.initrd),
      (
        .commandLineChanged, "kernel command line (cmdline)", digests.commandLine,
        expected.commandLine
      ),
    ]
    // Neither initrd nor command line is inside an enclave.
    for (code, thing, found, wanted) in all.prefix(kind.isEnclave ? 1 : 3) where found != wanted {
      throw TEEError(
        code,
        "\(thing): SHA-256 is \(Hex.encode(found)), but the guest's release.json says "
          + "\(Hex.encode(wanted)); build or install the guest again")
    }
  }

  /// What evidence of a launch of these files must show.
  ///
  /// - Parameters:
  ///   - vcpus: How many virtual processors.
  ///   - cpuModel: Their model by QEMU's name; hardware alone measures it.
  /// - Returns: the measurement.
  /// - Throws: ``TEEError/Code/evidence`` where the firmware does not suit the kind.
  public func measurement(vcpus: Int, cpuModel: String) throws(TEEError) -> LaunchMeasurement {
    do {
      switch kind {
      case .simulatedSNP: return try simulatedSNP(vcpus: vcpus)
      case .simulatedTDX: return try simulatedTDX(vcpus: vcpus)
      case .sgx, .simulatedSGX:
        let program = try firmware.first ?? System.contents(guest + "/arca-init", max: 1 << 24)
        let enclave = try GramineEnclave(
          manifest: GramineManifest(enclaveManifest), libpal: program)
        return LaunchMeasurement(enclave.mrenclave(), workload: workload)
      case .snp:
        return LaunchMeasurement(
          try sevLaunch().snpDigest(vcpus: vcpus, cpu: CPUSignature(model: cpuModel)))
      case .sevES:
        return LaunchMeasurement(
          try sevLaunch().sevESDigest(vcpus: vcpus, cpu: CPUSignature(model: cpuModel)))
      case .sev: return LaunchMeasurement(try sevLaunch().sevDigest())
      case .tdx: return try trustDomain()
      }
    } catch let error as MeasurementError {
      throw TEEError(.evidence, "the launch measurement: \(error.detail)")
    } catch let error as TEEError {
      throw error
    } catch {
      throw TEEError(.evidence, "\(error)")
    }
  }

  /// The table of the kernel's hashes, of what is booted.
  func kernelHashes() throws(MeasurementError) -> SEVKernelHashes {
    try SEVKernelHashes(
      kernelSHA256: digests.kernel, initrdSHA256: digests.initrd,
      commandLineSHA256: Array(SHA256.hash(data: Array(commandLine.utf8) + [0])))
  }

  private func sevLaunch() throws -> SEVLaunch {
    try SEVLaunch(
      firmware: try SEVFirmware(image: firmware.first ?? []), kernel: try kernelHashes())
  }

  /// RTMR0 holds the machine's ACPI tables, which the files do not tell; RTMR3 stays zero.
  private func trustDomain() throws -> LaunchMeasurement {
    let boot = try TDXDirectBoot(
      kernel: try System.contents(guest + "/" + kind.kernelFile, max: 1 << 28),
      initrd: try System.contents(guest + "/initrd", max: 1 << 28),
      // OVMF names the initrd's file to the kernel's stub, behind the rest.
      commandLine: commandLine + " initrd=initrd")
    return LaunchMeasurement(
      try TDVF(image: firmware.first ?? []).mrtd(),
      runtimeRegisters: [nil, try boot.rtmr1(), try boot.rtmr2(), RTMR().value])
  }

  static func hash<Hash: HashFunction>(_ path: String, _ empty: Hash) throws(TEEError) -> [UInt8] {
    let file = try System.open(path)
    defer { close(file) }
    var hash = empty
    var chunk: [UInt8] = []
    while case .bytes = try System.read(file, into: &chunk, max: 1 << 20) {
      hash.update(data: chunk)
    }
    return Array(hash.finalize())
  }
}
