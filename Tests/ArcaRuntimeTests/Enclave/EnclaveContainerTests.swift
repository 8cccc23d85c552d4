import ArcaOCI
import ArcaRuntime
import ArcaTEE
import Foundation
import Testing

/// What the OCI runtime is handed for an enclave that Gramine serves.
@Suite struct EnclaveContainerTests {
  private func spec(isSimulated: Bool) -> RuntimeSpec {
    OuterContainer(
      id: "c1", folder: "/state/c1", root: "/data/vmm/root", guest: "/lib/guest",
      enclave: EnclaveRoot(folder: "/data/unpacked/root", servedBy: Gramine(folder: "/g")),
      hardware: isSimulated ? nil : HostHardware(enclaveDevice: (10, 125)),
      simulatedKey: isSimulated ? "/data/key" : nil
    ).spec
  }

  private func mounts(_ spec: RuntimeSpec) -> [String] {
    spec.mounts.map {
      "\($0.destination) \($0.type) \($0.source) "
        + $0.options.joined(separator: ",")
    }
  }

  private static let common = [
    "/proc proc proc nosuid,nodev,noexec",
    "/dev tmpfs tmpfs nosuid,noexec,strictatime,mode=755,size=64k",
    "/arca/guest bind /lib/guest bind,ro,nosuid,nodev,noexec",
    "/arca/job bind /state/c1/job bind,ro,nosuid,nodev,noexec",
    "/run/arca bind /state/c1/run bind,rw,nosuid,nodev,noexec",
    "/sys sysfs sysfs ro,nosuid,nodev,noexec",
    "/arca/gramine bind /g bind,ro,nosuid,nodev",
    "/arca/root bind /data/unpacked/root bind,ro,nosuid,nodev",
  ]

  @Test func hardwareGetsTheDeviceAndTheQuotesSocket() {
    let spec = spec(isSimulated: false)
    #expect(
      mounts(spec) == Self.common + [
        "/var/run/aesmd bind /var/run/aesmd bind,ro,nosuid,nodev"
      ])
    let devices = spec.linux.devices
    #expect(devices.map(\.path) == ["/dev/sgx_enclave"])
    #expect(devices.first?.major == 10 && devices.first?.minor == 125)
    let rules = spec.linux.resources.devices
    #expect(rules.first?.allow == false)
    #expect(rules.contains { $0.allow && $0.major == 10 && $0.minor == 125 && $0.access == "rw" })
  }

  @Test func simulationGetsAKeyAndNoDevice() {
    let spec = spec(isSimulated: true)
    #expect(
      mounts(spec) == Self.common + ["/arca/key bind /data/key bind,ro,nosuid,nodev,noexec"])
    #expect(spec.linux.devices.isEmpty)
  }

  @Test func bothGetTheLauncherWithFewRights() {
    for spec in [spec(isSimulated: true), spec(isSimulated: false)] {
      #expect(spec.process.args == ["/arca/launcher"])
      #expect(spec.process.capabilities.effective == ["CAP_DAC_OVERRIDE", "CAP_KILL"])
      #expect(spec.process.noNewPrivileges == true)
      #expect(spec.root.readonly == true)
      #expect(
        spec.linux.namespaces.map(\.type)
          == ["pid", "network", "mount", "ipc", "uts", "cgroup"])
    }
  }

  /// Gramine, tools/gramine.in: what its own scripts execute.
  @Test func theLauncherStartsGraminesLoader() {
    #expect(
      VMM.gramineArguments(.sgx) == [
        "/arca/gramine/sgx/loader", "/arca/gramine/sgx/libpal.so", "init", "/arca/job/enclave",
      ])
    #expect(
      VMM.gramineArguments(.simulatedSGX) == [
        "/arca/gramine/direct/loader", "/arca/gramine/direct/libpal.so", "init",
        "/arca/job/enclave",
      ])
  }

  @Test func gramineIsFoundWholeOrNotAtAll() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let environment = [Gramine.variable: folder.path]
    for name in ["sgx/loader", "sgx/libpal.so", "libsysdb.so"] {
      #expect(Gramine.find(for: .sgx, environment: environment) == nil)
      let file = folder.appending(path: name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data("x".utf8).write(to: file)
    }
    #expect(Gramine.find(for: .sgx, environment: environment)?.folder == folder.path)
    #expect(Gramine.find(for: .simulatedSGX, environment: environment) == nil)
    #expect(Gramine.find(for: .sgx, environment: [Gramine.variable: ""]) == nil)
  }
}
