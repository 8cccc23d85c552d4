import ArcaTEE
import CArcaHost
import Foundation

/// What a machine has that TEEs need; ``Doctor`` judges by these facts alone.
public struct HostFacts: Sendable {
  /// The processor, as CPUID and the kernel tell.
  public struct Processor: Sendable {
    /// `AuthenticAMD`, `GenuineIntel` or another vendor's twelve letters.
    public var vendor = ""
    /// Family, model and stepping as CPUID Fn0000_0001 packs them.
    public var signature: UInt32 = 0
    /// CPUID Fn8000_001F, EAX: bit 1 SEV, bit 3 SEV-ES, bit 4 SEV-SNP.
    public var encryption: UInt32 = 0
    /// CPUID Fn8000_001F, EBX: bits 5 to 0 the encryption bit, 11 to 6 the bits it takes away.
    public var encryptionAddress: UInt32 = 0
    /// Whether CPUID Fn0000_0007 names SGX.
    public var hasSGX = false
    /// The flags in /proc/cpuinfo.
    public var flags: Set<String> = []

    /// A processor of which nothing is known.
    public init() {}
  }

  /// Whether KVM runs guests.
  public enum KVM: Sendable, Equatable {
    /// There is no /dev/kvm.
    case absent
    /// /dev/kvm cannot be opened for reading and writing.
    case inaccessible
    /// It opens, but a guest of a few instructions does not run under it.
    case runsNothing
    /// A guest ran.
    case works
  }

  /// A QEMU that was asked what it has.
  public struct VMM: Sendable {
    /// What it says to `--version`, such as `7.2.22`.
    public var version: String
    /// The types that `-object` takes.
    public var objects: Set<String>
    /// Whether it is of Arca's own tree of tools.
    public var isTool: Bool

    /// A QEMU of these parts.
    public init(version: String, objects: Set<String>, isTool: Bool) {
      self.version = version
      self.objects = objects
      self.isTool = isTool
    }
  }

  /// The processor.
  public var processor = Processor()
  /// KVM.
  public var kvm = KVM.absent
  /// Values of kernel module parameters, such as `kvm_amd/sev_snp`.
  public var parameters: [String: String] = [:]
  /// Which of ``watchedPaths`` exist.
  public var paths: Set<String> = []
  /// The QEMUs, the system's first.
  public var vmms: [VMM] = []
  /// Where the firmware for SEV kinds is, or nil.
  public var sevFirmware: String?
  /// Where the firmware for TDX is, or nil.
  public var tdxFirmware: String?
  /// Gramine's folder, or nil.
  public var gramine: String?
  /// The OCI runtime, or nil.
  public var ociRuntime: String?
  /// The launcher and the guest: what is missing, or nil.
  public var missingPart: String?
  /// The kernel modules of the guest.
  public var guestModules: Set<String> = []

  /// Device nodes, sockets and programs whose existence matters.
  public static let watchedPaths = [
    "/dev/kvm", "/dev/sev", OuterPath.enclaveDevice, "/var/run/tdx-qgs/qgs.socket",
    OuterPath.enclaveService + "/aesm.socket",
  ]
  /// Where the host's quote generation service listens.
  public static let quoteService = "/var/run/tdx-qgs/qgs.socket"
  private static let watchedParameters = [
    "kvm_amd/sev", "kvm_amd/sev_es", "kvm_amd/sev_snp", "kvm_intel/tdx", "kvm_intel/sgx",
  ]

  /// A machine of which nothing is known.
  public init() {}

  /// Asks this machine for its processor and firmware files alone.
  init(processorAndFirmwareOf installation: Installation) {
    let tools = ToolTree(installation).current
    processor = Self.processor()
    sevFirmware = FirmwareFile.sev.find(tools)
    tdxFirmware = FirmwareFile.tdx.find(tools)
  }

  /// Asks this machine.
  public init(_ installation: Installation) {
    processor = Self.processor()
    parameters = Dictionary(
      uniqueKeysWithValues: Self.watchedParameters.compactMap { name in
        let parts = name.split(separator: "/")
        let path = "/sys/module/\(parts[0])/parameters/\(parts[1])"
        guard let value = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return (name, value.trimmingCharacters(in: .whitespacesAndNewlines))
      })
    paths = Set(Self.watchedPaths.filter { isAccessible($0, F_OK) })
    let tools = ToolTree(installation).current
    vmms = [
      Self.ask([OuterPath.vmm], isTool: false), tools.flatMap { Self.ask($0.vmm, isTool: true) },
    ]
    .compactMap { $0 }
    sevFirmware = FirmwareFile.sev.find(tools)
    tdxFirmware = FirmwareFile.tdx.find(tools)
    gramine = Gramine.find(for: .sgx)?.folder
    ociRuntime = OCIRuntime.installed
    missingPart = Self.missingPart(installation)
    guestModules = installation.guestModules
    if !paths.contains("/dev/kvm") {
      kvm = .absent
    } else if !isAccessible("/dev/kvm", R_OK | W_OK) {
      kvm = .inaccessible
    } else {
      kvm =
        AcceleratorProbe(installation).accelerator(retriesTCG: true) == .kvm ? .works : .runsNothing
    }
  }

  private static func processor() -> Processor {
    var processor = Processor()
    for register: Int32 in [1, 3, 2] {
      let letters = arca_cpuid(0, 0, register)
      for shift: UInt32 in [0, 8, 16, 24] {
        processor.vendor.append(
          Character(Unicode.Scalar(UInt8(truncatingIfNeeded: letters >> shift))))
      }
    }
    processor.signature = arca_cpuid(1, 0, 0)
    processor.encryption = arca_cpuid(0x8000_001f, 0, 0)
    processor.encryptionAddress = arca_cpuid(0x8000_001f, 0, 1)
    processor.hasSGX = arca_cpuid(7, 0, 1) & 4 != 0
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    if let line = text.split(separator: "\n").first(where: { $0.hasPrefix("flags") }) {
      processor.flags = Set(line.split(separator: " ").map(String.init))
    }
    return processor
  }

  /// What the QEMU that `command` starts says about itself, or nil where it does not run.
  private static func ask(_ command: [String], isTool: Bool) -> VMM? {
    guard let version = try? runTool(command + ["--version"]),
      let objects = try? runTool(command + ["-object", "help"])
    else { return nil }
    let words = version.split(whereSeparator: { " \n".contains($0) }).map(String.init)
    let number = words.firstIndex(of: "version").flatMap { words.dropFirst($0 + 1).first } ?? "?"
    return VMM(
      version: number,
      objects: Set(
        objects.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }),
      isTool: isTool)
  }

  private static func missingPart(_ installation: Installation) -> String? {
    let parts =
      [installation.launcher]
      + ["vmlinux", "vmlinuz", "initrd", "cmdline", "release.json"].map {
        "\(installation.guest)/\($0)"
      }
    return parts.first { !isAccessible($0, R_OK) }
  }
}

/// A firmware that hardware starts, by the names under which distributions ship it.
enum FirmwareFile {
  /// OVMF's AmdSev build: it alone checks a kernel against measured hashes.
  case sev
  /// OVMF with a TDVF descriptor.
  case tdx

  /// The environment variable that names another file.
  private var variable: String {
    switch self {
    case .sev: "ARCA_SEV_FIRMWARE"
    case .tdx: "ARCA_TDX_FIRMWARE"
    }
  }

  private var paths: [String] {
    let name =
      switch self {
      case .sev: "OVMF.amdsev.fd"
      case .tdx: "OVMF.inteltdx.fd"
      }
    // Debian has the build for TDX with Secure Boot keys alone.
    let names = self == .tdx ? [name, "OVMF.inteltdx.ms.fd"] : [name]
    return names.flatMap { name in
      ["ovmf", "OVMF", "edk2/ovmf"].map { "/usr/share/\($0)/\(name)" }
    }
  }

  /// The one that the environment names, the system's, else that of the tools.
  func find(_ tools: ToolTree.Tools?) -> String? {
    if let path = ProcessInfo.processInfo.environment[variable] {
      return isAccessible(path, R_OK) ? path : nil
    }
    for root in ["", tools?.folder].compactMap({ $0 }) {
      if let path = paths.first(where: { isAccessible(root + $0, R_OK) }) { return root + path }
    }
    return nil
  }
}
