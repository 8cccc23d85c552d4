import ArcaTEE
import Foundation
import Testing

@Suite("The simulated launch measurement")
struct BootedFilesTests {
  private static let kinds: [LaunchKind] = [.simulatedSNP, .simulatedTDX]
  private static let paths =
    BootedFiles.simulatedFirmwarePaths + ["/guest/vmlinux", "/guest/initrd", "/guest/cmdline"]

  /// A guest and firmware of a few bytes, in a folder of their own.
  private func folder() throws -> String {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    for path in Self.paths {
      let file = URL(fileURLWithPath: folder + path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      // Firmware ends at 4 GiB, so it is whole pages.
      let content = Data("content of \(path)".utf8)
      let padding = path.hasPrefix("/guest") ? 0 : 4096 - content.count
      try (content + Data(count: padding)).write(to: file)
    }
    return folder
  }

  private func files(_ kind: LaunchKind, _ folder: String) throws -> BootedFiles {
    try BootedFiles(
      kind, guest: folder + "/guest",
      firmware: BootedFiles.simulatedFirmwarePaths.map { folder + $0 }, workload: [])
  }

  private func measurement(
    _ kind: LaunchKind, _ folder: String, vcpus: Int = 1
  ) throws -> LaunchMeasurement {
    try files(kind, folder).measurement(vcpus: vcpus, cpuModel: "")
  }

  @Test(
    "Every file that is booted counts, and the number of processors", arguments: kinds, paths)
  func sensitivity(kind: LaunchKind, path: String) throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let before = try measurement(kind, folder)
    #expect(before.measurement.count == 48)
    #expect(before.runtimeRegisters.count == (kind == .simulatedTDX ? 4 : 0))
    #expect(try measurement(kind, folder) == before)
    #expect(try measurement(kind, folder, vcpus: 2) != before)
    let file = URL(fileURLWithPath: folder + path)
    let content = try Data(contentsOf: file)
    try (content.dropLast() + Data([1])).write(to: file)
    #expect(try measurement(kind, folder) != before)
  }

  @Test(
    "Each file shows in the register that the TDX specifications give it",
    arguments: zip(
      [
        BootedFiles.simulatedFirmwarePaths[0], "/guest/vmlinux", "/guest/initrd", "/guest/cmdline",
      ], [-1, 1, 2, 2]))
  func registers(path: String, register: Int) throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let before = try measurement(.simulatedTDX, folder)
    let file = URL(fileURLWithPath: folder + path)
    try (Data(contentsOf: file).dropLast() + Data([1])).write(to: file)
    let after = try measurement(.simulatedTDX, folder)
    #expect((before.measurement != after.measurement) == (register < 0))
    for index in 0..<4 {
      #expect(
        (before.runtimeRegisters[index] != after.runtimeRegisters[index]) == (index == register))
    }
  }

  @Test("The text is what a verifier takes")
  func text() {
    let bytes = [UInt8](repeating: 0xab, count: 2)
    #expect(LaunchMeasurement(bytes).text == "abab")
    #expect(LaunchMeasurement(bytes, runtimeRegisters: [nil, [1]]).text == "abab,any,01")
  }

  @Test("The command line names the kind and, where evidence cannot, the workload")
  func commandLine() {
    let digest = [UInt8](repeating: 0x0f, count: 32)
    let file = Array("quiet\n".utf8)
    #expect(
      BootedFiles.text(ofCommandLine: file, .simulatedTDX, workload: digest)
        == "quiet arca.tee=sim-tdx")
    #expect(
      BootedFiles.text(ofCommandLine: file, .sevES, workload: digest)
        == "quiet arca.tee=sev-es arca.workload=" + String(repeating: "0f", count: 32))
  }

  @Test("A changed kernel, initrd or command line is named", arguments: kinds)
  func check(kind: LaunchKind) throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let expected = try files(kind, folder).digests
    for (name, code): (String, TEEError.Code) in [
      ("vmlinux", .kernelChanged), ("initrd", .initrdChanged), ("cmdline", .commandLineChanged),
    ] {
      let file = URL(fileURLWithPath: "\(folder)/guest/\(name)")
      let content = try Data(contentsOf: file)
      try (content + Data([1])).write(to: file)
      do {
        try files(kind, folder).check(expected)
        Issue.record("a changed \(name) was accepted")
      } catch let error as TEEError {
        #expect(error.code == code)
      }
      try content.write(to: file)
    }
    try files(kind, folder).check(expected)
  }
}
