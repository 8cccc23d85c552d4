import ArcaTEE
import CArcaHost
import Foundation

/// Finds out whether KVM runs a guest here; that `/dev/kvm` opens proves nothing.
struct AcceleratorProbe {
  private let cache: String

  init(_ installation: Installation) {
    cache = installation.state + "/accelerator"
  }

  /// KVM where a guest ran under it since the machine started, else TCG.
  ///
  /// `retriesTCG` asks again where no guest ran before, for whoever has mended that since.
  func accelerator(retriesTCG: Bool = false) -> Accelerator {
    let boot =
      (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? ""
    if let known = try? String(contentsOfFile: cache, encoding: .utf8), known.hasPrefix(boot),
      let accelerator = Accelerator(rawValue: String(known.dropFirst(boot.count))),
      accelerator == .kvm || !retriesTCG
    {
      return accelerator
    }
    let found: Accelerator = runsUnderKVM() ? .kvm : .tcg
    try? System.replace(cache, with: Array((boot + found.rawValue).utf8))
    return found
  }

  /// Whether the probe, booted by the same path as the guest, reaches 64-bit code.
  private func runsUnderKVM() -> Bool {
    guard isAccessible("/dev/kvm", R_OK | W_OK) else { return false }
    let image = cache + ".probe-\(getpid())"
    defer { removeFile(image) }
    do {
      try System.replace(image, with: probeImage)
      let pid = try System.spawn(
        [
          OuterPath.vmm, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
          "-machine", "q35,accel=kvm", "-cpu", "host", "-m", "32M", "-kernel", image,
          "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
        ], environment: ["PATH=/usr/bin"], descriptors: [-1, -1, -1],
        flags: Int(ARCA_SPAWN_DIE_WITH_PARENT))
      defer { kill(pid, SIGKILL) }
      for _ in 0..<150 {
        // The device makes QEMU exit with twice the byte that is written to it, plus one.
        if let status = System.reap(pid) { return status == 2 * 0x2a + 1 }
        usleep(20_000)
      }
      kill(pid, SIGKILL)
      _ = System.reap(pid, wait: true)
    } catch {}
    return false
  }
}
