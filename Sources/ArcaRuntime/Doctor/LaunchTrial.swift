import ArcaTEE
import CArcaHost
import Foundation

/// Hands the complete command line of a hardware launch to QEMU, and says how far it comes.
///
/// The guest that starts where all is well has no workload, and is ended at once.
public struct LaunchTrial {
  /// How far QEMU came.
  public enum Outcome: Sendable, Equatable {
    /// The guest runs.
    case runs
    /// The hardware or its kernel support is missing: the doctor's words, and QEMU's own.
    case hardwareMissing(String, qemu: String)
    /// QEMU refused something before it came to the hardware; its words.
    case refused(String)
  }

  private static let waitMicroseconds: UInt64 = 8_000_000
  private let installation: Installation

  /// Trials with the files of `installation`.
  public init(_ installation: Installation) { self.installation = installation }

  /// What QEMU says to a launch of `kind`.
  ///
  /// `withEveryOption` adds an ID block, a session and a quote service that no hardware would take.
  public func outcome(
    of kind: LaunchKind, withEveryOption isComplete: Bool = false
  ) throws(RuntimeError) -> Outcome {
    let facts = HostFacts(processorAndFirmwareOf: installation)
    guard let tools = ToolTree(installation).current else {
      throw RuntimeError(.installation, "no tools to try with: run `arca tools fetch` first")
    }
    guard let firmware = kind == .tdx ? facts.tdxFirmware : facts.sevFirmware else {
      throw RuntimeError(.installation, "no firmware for \(kind.rawValue)")
    }
    var launch = LaunchDescription(
      kind: kind, expected: try installation.guestDigests(for: kind),
      hostData: [UInt8](repeating: 0xa5, count: 32), vcpus: 2, memoryMiB: 512, accelerator: .kvm,
      passesInput: false, hasTerminal: false)
    launch.hardware = HardwareLaunch(
      cpuModel: HostHardware.cpuModel(kind, facts.processor),
      policy: HardwareLaunch.DefaultPolicy.of(kind))
    if isComplete {
      launch.hardware?.idBlock = kind == .snp ? [UInt8](repeating: 0, count: 96) : []
      launch.hardware?.idAuthentication = kind == .snp ? [UInt8](repeating: 0, count: 4096) : []
      launch.hardware?.hasSession = kind.format == .launchMeasurement
      launch.hardware?.hasQuoteService = kind == .tdx
    }
    launch.vmm = tools.vmm
    var options = QEMUOptions(launch, commandLine: "panic=-1")
    options.guest = installation.guest
    options.rootFilesystem = installation.guest + "/initrd"
    options.firmware = firmware
    return try Self.judge(kind, said: run(options.arguments))
  }

  /// QEMU's output, or nil where it still runs after some seconds.
  private func run(_ arguments: [String]) throws(RuntimeError) -> String? {
    do {
      let (output, outputInside) = try System.socketPair()
      // Channel, console and monitor need sockets; nobody speaks on them.
      let (idle, idleInside) = try System.socketPair()
      defer { for descriptor in [output, idle] { close(descriptor) } }
      let pid = try System.spawn(
        arguments, environment: ["PATH=/usr/bin", "LC_ALL=C"],
        descriptors: [-1, outputInside, outputInside, idleInside, idleInside, idleInside],
        flags: Int(ARCA_SPAWN_DIE_WITH_PARENT))
      close(outputInside)
      close(idleInside)
      defer {
        kill(pid, SIGKILL)
        _ = System.reap(pid, wait: true)
      }
      let end = System.monotonicMicroseconds + Self.waitMicroseconds
      var said: [UInt8] = []
      var chunk: [UInt8] = []
      while System.monotonicMicroseconds < end {
        var waits = [pollfd(fd: output, events: Int16(POLLIN), revents: 0)]
        try System.poll(&waits, timeoutMilliseconds: 500)
        switch try System.read(output, into: &chunk, max: 1 << 14) {
        case .bytes: said += chunk.prefix(max(0, 1 << 16 - said.count))
        case .wouldBlock: break
        case .end: return printable(said.map { $0 == 10 ? 32 : $0 })
        }
      }
      return nil
    } catch {
      throw RuntimeError(error, .unsupported)
    }
  }

  /// What QEMU's words mean.
  package static func judge(_ kind: LaunchKind, said: String?) -> Outcome {
    guard let said else { return .runs }
    let name = kind.rawValue
    let known: [(String, String)] = [
      ("vm-type SEV-SNP not supported by KVM", "the host's KVM offers no SEV-SNP"),
      ("vm-type TDX not supported by KVM", "the host's KVM offers no TDX"),
      ("cbitpos check failed", "the processor encrypts no memory (CPUID Fn8000_001F)"),
      ("Failed to open /dev/sev", "there is no /dev/sev"),
      ("Could not access KVM kernel module", "there is no usable /dev/kvm"),
      ("failed to initialize ret=", "the security processor refuses to start a guest"),
    ]
    for (words, meaning) in known where said.contains(words) {
      return .hardwareMissing("\(name): \(meaning)", qemu: said)
    }
    return .refused(said)
  }
}
