import ArcaTEE
import Foundation

/// What a launch on hardware takes from the host into the outer container.
package struct HostHardware {
  /// A device node.
  struct Device {
    let path: String
    let major: Int64
    let minor: Int64
  }

  /// A file or folder of the host's, read-only inside.
  struct Mount {
    let source: String
    let target: String
  }

  let devices: [Device]
  let mounts: [Mount]
  /// How QEMU is executed inside.
  let vmm: [String]
  /// What the launcher is to ask for.
  let launch: HardwareLaunch

  /// What `request` needs, or the doctor's first reason why it cannot be had here.
  init(_ request: RunRequest, _ installation: Installation) throws(RuntimeError) {
    let kind = request.kind
    let facts = HostFacts(installation)
    if let missing = Doctor(facts).report(on: kind).firstMissing {
      throw RuntimeError(
        .unsupported,
        "\(kind.rawValue): needs \(missing.requirement), but \(missing.found); to mend it, "
          + "\(missing.mend ?? "see docs/hardware.md"). `arca doctor` tells more")
    }
    if kind == .sgx {
      devices = [try Self.device(OuterPath.enclaveDevice)]
      mounts = Self.enclaveMounts
      vmm = []
      launch = HardwareLaunch(cpuModel: "", policy: 0)
      return
    }
    let tools = ToolTree(installation).current
    let firmware = kind == .tdx ? facts.tdxFirmware : facts.sevFirmware
    var mounts: [Mount] = []
    if let firmware { mounts.append(Mount(source: firmware, target: OuterPath.firmware)) }
    let object = Self.object(kind)
    let system = facts.vmms.first { !$0.isTool }
    if let tools, system?.objects.contains(object) != true {
      mounts.append(Mount(source: tools.folder, target: OuterPath.tools))
      vmm = tools.vmm(at: OuterPath.tools)
    } else {
      vmm = []
    }
    let hasService = kind == .tdx && facts.paths.contains(HostFacts.quoteService)
    if hasService {
      mounts.append(Mount(source: HostFacts.quoteService, target: OuterPath.quoteService))
    }
    self.mounts = mounts
    devices = kind == .tdx ? [] : [try Self.device("/dev/sev")]
    var launch = HardwareLaunch(
      cpuModel: request.cpuModel ?? Self.cpuModel(kind, facts.processor),
      policy: request.policy ?? HardwareLaunch.DefaultPolicy.of(kind))
    if kind != .tdx {
      launch.encryptionBit = Int(facts.processor.encryptionAddress & 63)
      launch.reducedAddressBits = Int(facts.processor.encryptionAddress >> 6 & 63)
    }
    launch.idBlock = request.idBlock
    launch.idAuthentication = request.idAuthentication
    launch.hasSession = request.sessionFolder != nil || request.sevChain != nil
    launch.hasQuoteService = hasService
    self.launch = launch
  }

  /// Where quotes of an enclave come from.
  private static var enclaveMounts: [Mount] {
    [Mount(source: OuterPath.enclaveService, target: OuterPath.enclaveService)]
  }

  /// What Gramine needs to build an enclave, whose device has this number, and to get quotes of it.
  package init(enclaveDevice number: (major: Int64, minor: Int64)) {
    devices = [
      Device(path: OuterPath.enclaveDevice, major: number.major, minor: number.minor)
    ]
    mounts = Self.enclaveMounts
    vmm = []
    launch = HardwareLaunch(cpuModel: "", policy: 0)
  }

  /// The QEMU object that makes the kind.
  static func object(_ kind: LaunchKind) -> String {
    switch kind {
    case .snp: "sev-snp-guest"
    case .sevES, .sev: "sev-guest"
    case .tdx, .sgx, .simulatedSNP, .simulatedTDX, .simulatedSGX: "tdx-guest"
    }
  }

  /// QEMU's model of the processor's own generation, so that it measures as predicted; a TD's is
  /// the host's (QEMU, docs/system/i386/tdx.rst).
  static func cpuModel(_ kind: LaunchKind, _ processor: HostFacts.Processor) -> String {
    guard kind != .tdx else { return "host" }
    let family = (processor.signature >> 8 & 15) + (processor.signature >> 20 & 255)
    let model = processor.signature >> 4 & 15 | processor.signature >> 12 & 0xf0
    switch (family, model) {
    case (0x17, 0..<0x30): return "EPYC-v4"
    case (0x17, _): return "EPYC-Rome"
    case (0x19, 0x10..<0x20), (0x19, 0xa0..<0xb0): return "EPYC-Genoa"
    case (0x1a, _): return "EPYC-Turin"
    default: return "EPYC-Milan"
    }
  }

  private static func device(_ path: String) throws(RuntimeError) -> Device {
    guard let number = deviceNumber(path) else {
      throw RuntimeError(.unsupported, "\(path): not a device; `arca doctor` tells more")
    }
    return Device(path: path, major: number.major, minor: number.minor)
  }
}
