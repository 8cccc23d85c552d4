import ArcaTEE

/// Says which kinds of TEE a machine can run and, for each that it cannot, why and what to do.
public struct Doctor: Sendable {
  /// Something that a kind of TEE needs.
  public struct Finding: Sendable, Codable, Equatable {
    /// What is needed, in a few words.
    public let requirement: String
    /// Whether it is there.
    public let isMet: Bool
    /// What was found.
    public let found: String
    /// What to do where it is missing, or nil.
    public let mend: String?
  }

  /// What was found about one kind of TEE.
  public struct Report: Sendable, Codable {
    /// The kind by its name on the command line.
    public let kind: String
    /// Whether all it needs is there.
    public let isUsable: Bool
    /// What it needs, in the order in which it is looked for.
    public let findings: [Finding]

    /// The first thing that is missing.
    public var firstMissing: Finding? { findings.first { !$0.isMet } }
  }

  let facts: HostFacts

  /// A doctor for the machine of `facts`.
  public init(_ facts: HostFacts) { self.facts = facts }

  /// The kinds, the strongest first.
  public var reports: [Report] { LaunchKind.allCases.map { report(on: $0) } }

  /// The strongest kind that the machine can run; where it can run none, what simulates.
  public var strongest: LaunchKind {
    // Not every workload can do without a kernel of its own, so an enclave has to be asked for.
    LaunchKind.allCases.first { !$0.isEnclave && report(on: $0).isUsable } ?? .simulatedSNP
  }

  /// What is there and missing for `kind`.
  public func report(on kind: LaunchKind) -> Report {
    switch kind {
    case .snp:
      report(
        kind.rawValue,
        amd(bit: 4, "SEV-SNP", "sev_snp", since: "EPYC 7003 (Milan)") + [
          vmm("sev-snp-guest", since: "9.1"), sevFirmware, guestModule("sev-guest"),
        ])
    case .sevES:
      report(
        kind.rawValue,
        amd(bit: 3, "SEV-ES", "sev_es", since: "EPYC 7002 (Rome)") + [
          vmm("sev-guest", since: "6.2"), sevFirmware,
        ])
    case .sev:
      report(
        kind.rawValue,
        amd(bit: 1, "SEV", "sev", since: "EPYC 7001 (Naples)") + [
          vmm("sev-guest", since: "6.2"), sevFirmware,
        ])
    case .tdx:
      report(
        kind.rawValue,
        common + [
          tdxProcessor, tdxParameter, kvm, vmm("tdx-guest", since: "10.1"), tdxFirmware,
          quoteService,
          guestModule("tdx-guest"),
        ])
    case .sgx:
      report(kind.rawValue, common + [sgxProcessor, sgxDevice, gramine, enclaveService])
    case .simulatedSNP, .simulatedTDX: report(kind.rawValue, common + [systemVMM])
    case .simulatedSGX: report(kind.rawValue, common)
    }
  }

  private func report(_ kind: String, _ findings: [Finding]) -> Report {
    Report(kind: kind, isUsable: findings.allSatisfy(\.isMet), findings: findings)
  }

  func met(_ requirement: String, _ found: String) -> Finding {
    Finding(requirement: requirement, isMet: true, found: found, mend: nil)
  }

  func missing(_ requirement: String, _ found: String, _ mend: String) -> Finding {
    Finding(requirement: requirement, isMet: false, found: found, mend: mend)
  }

  // MARK: - What several kinds need

  private var common: [Finding] { [parts, ociRuntime] }

  private var parts: Finding {
    let what = "Arca's launcher and guest"
    guard let path = facts.missingPart else { return met(what, "whole") }
    return missing(what, "\(path) is missing", "run `make guest`, or set ARCA_LIB")
  }

  private var ociRuntime: Finding {
    let what = "an OCI runtime"
    guard let program = facts.ociRuntime else {
      return missing(what, "neither crun nor runc", "install crun (Debian: crun)")
    }
    return met(what, program)
  }

  private var systemVMM: Finding {
    let what = "QEMU of the system"
    guard let vmm = facts.vmms.first(where: { !$0.isTool }) else {
      return missing(what, "none that runs", "install QEMU (Debian: qemu-system-x86)")
    }
    return met(
      what, "\(vmm.version), " + (facts.kvm == .works ? "with KVM" : "without KVM, slower"))
  }

  private var kvm: Finding {
    let what = "KVM that runs guests"
    switch facts.kvm {
    case .works: return met(what, "a guest ran")
    case .absent:
      return missing(
        what, "there is no /dev/kvm",
        "enable virtualisation (SVM, VT-x) in the machine's setup and load kvm_amd or kvm_intel")
    case .inaccessible:
      return missing(what, "/dev/kvm does not open", "run as root, or join the group kvm")
    case .runsNothing:
      return missing(
        what, "/dev/kvm opens, but no guest runs under it",
        "this machine is itself virtual: use bare metal, or nested virtualisation that works")
    }
  }

  private func vmm(_ object: String, since version: String) -> Finding {
    let what = "QEMU with \(object)"
    if let vmm = facts.vmms.first(where: { $0.objects.contains(object) }) {
      return met(what, vmm.version + (vmm.isTool ? ", of Arca's tools" : ""))
    }
    let found = facts.vmms.map(\.version).joined(separator: ", ")
    return missing(
      what, found.isEmpty ? "no QEMU" : "QEMU \(found) has none",
      "install QEMU \(version) or later, or run `arca tools fetch`")
  }

  private func guestModule(_ name: String) -> Finding {
    let what = "the guest's module \(name)"
    guard facts.guestModules.contains(name) else {
      return missing(what, "not in the initrd", "build the guest again with `make guest`")
    }
    return met(what, "in the initrd")
  }

  // MARK: - AMD

  private func amd(
    bit: UInt32, _ name: String, _ parameter: String, since model: String
  ) -> [Finding] {
    common + [amdProcessor(bit, name, model), amdParameter(name, parameter), sevDevice, kvm]
  }

  private func amdProcessor(_ bit: UInt32, _ name: String, _ model: String) -> Finding {
    let what = "an AMD processor with \(name)"
    guard facts.processor.vendor == "AuthenticAMD" else {
      return missing(
        what, "the processor is \(facts.processor.vendor)", "use AMD \(model) or later")
    }
    guard facts.processor.encryption >> bit & 1 == 1 else {
      return missing(
        what, "CPUID Fn8000_001F does not name it",
        "use AMD \(model) or later, on bare metal, with SEV enabled in the machine's setup")
    }
    return met(what, "CPUID Fn8000_001F names it")
  }

  private func amdParameter(_ name: String, _ parameter: String) -> Finding {
    let what = "\(name) in the host's kernel"
    let path = "kvm_amd/\(parameter)"
    guard let value = facts.parameters[path] else {
      return missing(
        what, "kvm_amd has no parameter \(parameter)",
        "load kvm_amd" + (parameter == "sev_snp" ? " of Linux 6.11 or later" : ""))
    }
    guard ["Y", "1"].contains(value) else {
      return missing(
        what, "kvm_amd.\(parameter) is \(value)",
        "boot with kvm_amd.\(parameter)=1 and, in the machine's setup, enable SMEE, "
          + (parameter == "sev_snp" ? "SEV-SNP and its RMP table" : "SEV")
          + (parameter == "sev" ? "" : ", and a SEV-ES ASID limit above 1"))
    }
    return met(what, "kvm_amd.\(parameter) is \(value)")
  }

  private var sevDevice: Finding {
    let what = "the security processor's /dev/sev"
    guard facts.paths.contains("/dev/sev") else {
      return missing(what, "there is none", "load the module ccp, and see `dmesg | grep -i sev`")
    }
    return met(what, "there")
  }

  private var sevFirmware: Finding {
    let what = "OVMF, AmdSev build"
    guard let path = facts.sevFirmware else {
      return missing(
        what, "no OVMF.amdsev.fd",
        "install it (Debian: ovmf-amdsev), or run `arca tools fetch`")
    }
    return met(what, path)
  }
}

extension Installation {
  /// The strongest kind that this machine can run.
  ///
  /// A processor that has no hardware kind is told at once, so that a simulated start does not pay
  /// for the rest.
  public var strongestKind: LaunchKind {
    let quick = HostFacts(processorAndFirmwareOf: self)
    let hasHardware =
      quick.processor.encryption & 0b11010 != 0
      || quick.processor.flags.contains("tdx_host_platform")
    return hasHardware ? Doctor(HostFacts(self)).strongest : .simulatedSNP
  }
}
