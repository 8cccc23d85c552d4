import ArcaBytes
import Crypto
import Glibc
import TEEMeasurement

/// The files that a simulated SNP launch boots, measured as they are.
///
/// Layout of the simulated launch, in the order in which its pages are added to the launch digest
/// (AMD 56860, section 8.17.2). Hardware runs vendor firmware that checks the kernel against a
/// measured table of hashes; here QEMU boots the kernel directly, so that the pages are those of
/// the firmware that QEMU loads for that:
///
/// 1. SeaBIOS (`bios-256k.bin`), PAGE_TYPE_NORMAL, ending at 4 GiB;
/// 2. the option ROMs `kvmvapic.bin` and `pvh.bin`, PAGE_TYPE_NORMAL, each on a page boundary, the
///    first at 0xc0000;
/// 3. the table of kernel hashes, laid out as QEMU lays out SEV's, PAGE_TYPE_NORMAL at 0x80_0000:
///    SHA-256 of `vmlinux`, of `initrd`, and of the command line with its terminating NUL;
/// 4. a VMSA for each virtual processor, PAGE_TYPE_VMSA, with CPU signature 0 and SEV_FEATURES 1.
///
/// The amount of memory is not measured, as with SNP.
public struct BootedFiles: Sendable {
  /// Where QEMU's firmware files are, beneath the root of the outer container.
  public static let firmwarePaths = [
    "/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/pvh.bin",
  ]
  private static let optionROMStart: UInt64 = 0xc0000
  private static let hashesTableGPA: UInt64 = 0x80_0000
  private static let fileBytesMax = 1 << 30

  /// SHA-256 of the kernel, the initrd and the file with the command line.
  public let digests: LaunchDescription.GuestDigests
  private let firmware: [[UInt8]]
  private let hashes: SEVKernelHashes

  /// Reads and hashes the guest in the folder `guest` and the firmware beneath `root`.
  ///
  /// Throws where a file cannot be read; whether they are the right ones is ``check(_:)``'s matter.
  public init(guest: String, firmwareRoot root: String) throws(TEEError) {
    var images: [[UInt8]] = []
    for path in Self.firmwarePaths {
      images.append(try System.contents(root + path, max: LaunchLimits.firmwareBytesMax))
    }
    firmware = images
    let commandLine = try System.contents(guest + "/cmdline", max: 4096)
    digests = LaunchDescription.GuestDigests(
      kernel: try Self.sha256(guest + "/vmlinux"), initrd: try Self.sha256(guest + "/initrd"),
      commandLine: Array(SHA256.hash(data: commandLine)))
    let booted = Array(Self.text(ofCommandLine: commandLine).utf8) + [0]
    do {
      hashes = try SEVKernelHashes(
        kernelSHA256: digests.kernel, initrdSHA256: digests.initrd,
        commandLineSHA256: Array(SHA256.hash(data: booted)))
    } catch {
      throw TEEError(.description, error.detail)
    }
  }

  /// The command line that is booted: the release's, with the kind of TEE that the guest is to ask.
  public static func text(ofCommandLine file: [UInt8]) -> String {
    let line = file.last == UInt8(ascii: "\n") ? file.dropLast() : file[...]
    return String(decoding: line, as: UTF8.self) + " arca.tee=sim-snp"
  }

  /// Refuses a guest that is not the one whose release records `expected`.
  public func check(_ expected: LaunchDescription.GuestDigests) throws(TEEError) {
    let checks: [(TEEError.Code, String, [UInt8], [UInt8])] = [
      (.kernelChanged, "kernel (vmlinux)", digests.kernel, expected.kernel),
      (.initrdChanged, "initrd", digests.initrd, expected.initrd),
      (
        .commandLineChanged, "kernel command line (cmdline)", digests.commandLine,
        expected.commandLine
      ),
    ]
    for (code, thing, found, wanted) in checks where found != wanted {
      throw TEEError(
        code,
        "\(thing): SHA-256 is \(Hex.encode(found)), but the guest's release.json says "
          + "\(Hex.encode(wanted)); build or install the guest again")
    }
  }

  /// The launch digest for so many virtual processors, 48 bytes.
  public func launchDigest(vcpus: Int) throws(TEEError) -> [UInt8] {
    do {
      var digest = SNPLaunchDigest()
      let bios = firmware[0]
      try digest.addNormalPages(gpa: 1 << 32 - UInt64(bios.count), contents: bios)
      var address = Self.optionROMStart
      for rom in firmware.dropFirst() {
        try digest.addNormalPages(gpa: address, contents: rom)
        address += UInt64((rom.count + 4095) / 4096 * 4096)
      }
      try digest.addNormalPages(gpa: Self.hashesTableGPA, contents: hashes.table)
      let vmsa = VMSA.page(
        entry: VMSA.resetVector, cpu: CPUSignature(rawValue: 0), features: 1)
      for _ in 0..<vcpus { try digest.addVMSA(page: vmsa) }
      return digest.value
    } catch {
      throw TEEError(.evidence, "the launch digest: \(error.detail)")
    }
  }

  private static func sha256(_ path: String) throws(TEEError) -> [UInt8] {
    let file = try System.open(path)
    defer { close(file) }
    var hash = SHA256()
    var chunk: [UInt8] = []
    while case .bytes = try System.read(file, into: &chunk, max: 1 << 20) {
      hash.update(data: chunk)
    }
    return Array(hash.finalize())
  }
}
