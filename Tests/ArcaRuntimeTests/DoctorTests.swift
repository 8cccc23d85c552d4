import ArcaRuntime
import ArcaTEE
import Foundation
import Testing

@Suite("The doctor")
struct DoctorTests {
  /// A machine that has everything, of both vendors at once but for the name.
  private func machine(_ vendor: String) -> HostFacts {
    var facts = HostFacts()
    facts.processor.vendor = vendor
    facts.processor.encryption = 0b11010
    facts.processor.hasSGX = vendor == "GenuineIntel"
    facts.processor.flags = ["tdx_host_platform"]
    facts.kvm = .works
    facts.parameters = [
      "kvm_amd/sev": "Y", "kvm_amd/sev_es": "Y", "kvm_amd/sev_snp": "1", "kvm_intel/tdx": "Y",
    ]
    facts.paths = Set(HostFacts.watchedPaths)
    facts.vmms = [
      .init(version: "7.2", objects: ["sev-guest"], isTool: false),
      .init(version: "11.1", objects: ["sev-snp-guest", "sev-guest", "tdx-guest"], isTool: true),
    ]
    facts.sevFirmware = "/f/OVMF.amdsev.fd"
    facts.tdxFirmware = "/f/OVMF.inteltdx.fd"
    facts.gramine = "/f/gramine"
    facts.ociRuntime = "/usr/bin/crun"
    facts.guestModules = ["sev-guest", "tdx-guest"]
    return facts
  }

  private func missing(_ facts: HostFacts, _ kind: LaunchKind) -> String? {
    Doctor(facts).report(on: kind).firstMissing?.requirement
  }

  @Test("A machine that has all runs its vendor's kinds and the simulated ones")
  func whole() {
    let amd = Doctor(machine("AuthenticAMD"))
    #expect(amd.strongest == .snp)
    #expect(
      amd.reports.filter(\.isUsable).map(\.kind)
        == ["snp", "sev-es", "sev", "sim-snp", "sim-tdx", "sim-sgx"])
    let intel = Doctor(machine("GenuineIntel"))
    #expect(intel.strongest == .tdx)
    #expect(
      intel.reports.filter(\.isUsable).map(\.kind)
        == ["tdx", "sgx", "sim-snp", "sim-tdx", "sim-sgx"])
  }

  @Test("A machine that has nothing is told what simulation needs")
  func nothing() {
    let doctor = Doctor(HostFacts())
    #expect(doctor.strongest == .simulatedSNP)
    #expect(doctor.reports.allSatisfy { !$0.isUsable && $0.firstMissing?.mend != nil })
    #expect(missing(HostFacts(), .simulatedSNP) == "an OCI runtime")
  }

  private static let removals: [(LaunchKind, String, String, @Sendable (inout HostFacts) -> Void)] =
    [
      (.snp, "AuthenticAMD", "Arca's launcher and guest", { $0.missingPart = "/x" }),
      (.snp, "AuthenticAMD", "an OCI runtime", { $0.ociRuntime = nil }),
      (
        .snp, "AuthenticAMD", "an AMD processor with SEV-SNP",
        { $0.processor.encryption = 0b01010 }
      ),
      (
        .sevES, "AuthenticAMD", "an AMD processor with SEV-ES",
        { $0.processor.encryption = 0b10010 }
      ),
      (.sev, "AuthenticAMD", "an AMD processor with SEV", { $0.processor.encryption = 0b11000 }),
      (.snp, "AuthenticAMD", "SEV-SNP in the host's kernel", { $0.parameters = [:] }),
      (
        .snp, "AuthenticAMD", "SEV-SNP in the host's kernel",
        { $0.parameters["kvm_amd/sev_snp"] = "N" }
      ),
      (
        .sevES, "AuthenticAMD", "SEV-ES in the host's kernel",
        { $0.parameters["kvm_amd/sev_es"] = "0" }
      ),
      (.snp, "AuthenticAMD", "the security processor's /dev/sev", { $0.paths = [] }),
      (.snp, "AuthenticAMD", "KVM that runs guests", { $0.kvm = .runsNothing }),
      (.sev, "AuthenticAMD", "KVM that runs guests", { $0.kvm = .inaccessible }),
      (.tdx, "GenuineIntel", "KVM that runs guests", { $0.kvm = .absent }),
      (.snp, "AuthenticAMD", "QEMU with sev-snp-guest", { $0.vmms.removeLast() }),
      (.tdx, "GenuineIntel", "QEMU with tdx-guest", { $0.vmms.removeLast() }),
      (.sev, "AuthenticAMD", "QEMU with sev-guest", { $0.vmms = [] }),
      (.snp, "AuthenticAMD", "OVMF, AmdSev build", { $0.sevFirmware = nil }),
      (.snp, "AuthenticAMD", "the guest's module sev-guest", { $0.guestModules = [] }),
      (.tdx, "AuthenticAMD", "an Intel processor with TDX", { _ in }),
      (.tdx, "GenuineIntel", "an Intel processor with TDX", { $0.processor.flags = [] }),
      (.tdx, "GenuineIntel", "TDX in the host's kernel", { $0.parameters["kvm_intel/tdx"] = "N" }),
      (.tdx, "GenuineIntel", "TDX in the host's kernel", { $0.parameters = [:] }),
      (.tdx, "GenuineIntel", "OVMF with TDVF", { $0.tdxFirmware = nil }),
      (.tdx, "GenuineIntel", "Intel's quote generation service", { $0.paths = ["/dev/kvm"] }),
      (.tdx, "GenuineIntel", "the guest's module tdx-guest", { $0.guestModules = [] }),
      (.sgx, "GenuineIntel", "an OCI runtime", { $0.ociRuntime = nil }),
      (.sgx, "AuthenticAMD", "an Intel processor with SGX", { $0.processor.hasSGX = false }),
      (.sgx, "GenuineIntel", "/dev/sgx_enclave", { $0.paths.remove("/dev/sgx_enclave") }),
      (.sgx, "GenuineIntel", "Gramine", { $0.gramine = nil }),
      (.sgx, "GenuineIntel", "Intel's AESM service", { $0.paths = ["/dev/sgx_enclave"] }),
      (.simulatedTDX, "GenuineIntel", "QEMU of the system", { $0.vmms.removeFirst() }),
    ]

  @Test("Each thing that is missing is named, with what to do", arguments: 0..<removals.count)
  func removal(index: Int) {
    let (kind, vendor, requirement, remove) = Self.removals[index]
    var facts = machine(vendor)
    remove(&facts)
    let finding = Doctor(facts).report(on: kind).firstMissing
    #expect(finding?.requirement == requirement)
    #expect(finding?.mend?.isEmpty == false)
  }

  @Test("What QEMU says becomes the doctor's words, and an unknown word is a refusal")
  func trial() {
    let words: [(LaunchKind, String)] = [
      (.snp, "qemu-system-x86_64: vm-type SEV-SNP not supported by KVM"),
      (.tdx, "qemu-system-x86_64: vm-type TDX not supported by KVM"),
      (.sev, "sev_common_kvm_init: cbitpos check failed, host '0' requested '51'"),
      (.sevES, "sev_common_kvm_init: Failed to open /dev/sev 'No such file or directory'"),
    ]
    for (kind, said) in words {
      guard case .hardwareMissing(let meaning, said) = LaunchTrial.judge(kind, said: said) else {
        Issue.record("\(said) was not understood")
        continue
      }
      #expect(meaning.hasPrefix(kind.rawValue + ": "))
    }
    let other = "-object sev-snp-guest: Property 'sev-snp-guest.foo' not found"
    #expect(LaunchTrial.judge(.snp, said: other) == .refused(other))
    #expect(LaunchTrial.judge(.snp, said: nil) == .runs)
  }
}

@Suite("QEMU and the launches on hardware")
struct LaunchTrialTests {
  /// With what `make guest` built, unless `ARCA_LIB` names another guest.
  private static let installation = Installation(
    environment: ProcessInfo.processInfo.environment.merging([
      "ARCA_LIB": URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../out/lib/arca").standardizedFileURL.path
    ]) { own, _ in own })
  private static let hasTools = ToolTree(installation).current != nil

  @Test(
    "The real QEMU takes every option, up to where the hardware is missing",
    .enabled(if: hasTools, "no tools: `arca tools fetch` fetches QEMU 10.1 or later"),
    arguments: [LaunchKind.snp, .sevES, .sev, .tdx])
  func accepted(kind: LaunchKind) throws {
    switch try LaunchTrial(Self.installation).outcome(of: kind, withEveryOption: true) {
    case .runs, .hardwareMissing: break
    case .refused(let words): Issue.record("\(kind): \(words)")
    }
  }
}
