import ArcaBytes
import ArcaManifest
import ArcaWire
import Crypto
import Foundation
import TEEEvidence
import Testing

/// What stands in for a SEV launch on a machine without one: OVMF's AmdSev build is really run, and
/// finds in memory what QEMU and the security processor would have put there.
private struct RehearsedLaunch {
  private static let memoryBytes: UInt32 = 512 << 20
  /// What QEMU leaves free for ACPI below the end of memory (hw/i386/pc.c, q35).
  private static let acpiBytes: UInt32 = 0x28000

  /// Options for ``GuestMachine``.
  let options: [String]

  static let firmware =
    [
      ProcessInfo.processInfo.environment["ARCA_SEV_FIRMWARE"], "/usr/share/ovmf/OVMF.amdsev.fd",
    ].compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0) }

  /// Why the rehearsal cannot be had, or nil.
  static let missing: Comment? = {
    struct Release: Decodable { let kernelOptions: [String]? }
    let file = GuestMachine.guest.appending(path: "release.json")
    guard firmware != nil else { return "no OVMF.amdsev.fd; ARCA_SEV_FIRMWARE names one" }
    guard let content = try? Data(contentsOf: file),
      let release = try? JSONDecoder().decode(Release.self, from: content),
      release.kernelOptions?.contains("CONFIG_EFI_SECRET=y") == true
    else { return "the guest's kernel has no efi_secret; make guest-kernel" }
    return nil
  }()

  /// A launch with `table` where the processor writes the secrets; its files go to `folder`.
  init(_ kind: String, table: [UInt8], in folder: URL) throws {
    let firmware = try #require(Self.firmware)
    let image = [UInt8](try Data(contentsOf: URL(filePath: firmware)))
    let kernel = GuestMachine.guest.appending(path: "vmlinuz")
    let (initrd, line) = (
      [UInt8](try Data(contentsOf: GuestMachine.guest.appending(path: "initrd"))),
      try String(
        contentsOf: GuestMachine.guest.appending(path: "cmdline"), encoding: .utf8)
    )
    let hashes = Self.hashes([
      ("97d02dd8-bd20-4c94-aa78-e7714d36ab2a", Array((line + " arca.tee=" + kind).utf8) + [0]),
      ("44baf731-3a2f-4bd7-9af1-41e29169781d", initrd),
      (
        "4de79437-abd2-427f-b835-d5b172d2045b",
        Self.header(of: [UInt8](try Data(contentsOf: kernel)), initrdBytes: UInt32(initrd.count))
      ),
    ])
    var options = ["-bios", firmware, "-kernel", kernel.path]
    for (name, area, content) in [
      ("hashes", "7255371f-3a3b-4b04-927b-1da6efa8d454", hashes),
      ("secrets", "4c2eb361-7d9b-4cc3-8081-127c90d3d294", table),
    ] {
      let file = folder.appending(path: name)
      try Data(content).write(to: file)
      let address = try Self.address(of: area, in: image)
      options += [
        "-device", "loader,file=\(file.path),addr=0x\(String(address, radix: 16)),force-raw=on",
      ]
    }
    self.options = options
  }

  /// The table that OVMF checks kernel, initrd and command line by (QEMU, target/i386/sev.c).
  private static func hashes(_ entries: [(guid: String, content: [UInt8])]) -> [UInt8] {
    var body: [UInt8] = []
    for entry in entries {
      body += guid(entry.guid) + [50, 0] + Array(SHA256.hash(data: entry.content))
    }
    let table = guid("9438d606-4f22-4cc9-b479-a793d411fd21") + [UInt8(18 + body.count), 0] + body
    return table + [UInt8](repeating: 0, count: (16 - table.count % 16) % 16)
  }

  /// The kernel as QEMU hands it to firmware of a machine without SEV: with the loader's fields of
  /// its header filled in (hw/i386/x86.c).
  private static func header(of kernel: [UInt8], initrdBytes: UInt32) -> [UInt8] {
    var kernel = kernel
    func put(_ value: UInt32, _ count: Int, at offset: Int) {
      for index in 0..<count { kernel[offset + index] = UInt8(value >> (8 * index) & 255) }
    }
    kernel[0x210] = 0xb0
    kernel[0x211] |= 0x80
    put(0x20000, 4, at: 0x228)
    put(0x20000 - 0x10000 - 0x200, 2, at: 0x224)
    put((memoryBytes - acpiBytes - 1 - initrdBytes) & ~4095, 4, at: 0x218)
    put(initrdBytes, 4, at: 0x21c)
    return kernel
  }

  /// The base of an area that the firmware's table of GUIDs names: base and size, the entry's
  /// length, its GUID.
  private static func address(of area: String, in image: [UInt8]) throws -> Int {
    let guid = guid(area)
    let start = try #require(
      (image.count - 4096..<image.count - 16).last { Array(image[$0..<$0 + 16]) == guid })
    return (0..<4).reduce(0) { $0 | Int(image[start - 10 + $1]) << (8 * $1) }
  }

  static func guid(_ text: String) -> [UInt8] {
    let groups = text.split(separator: "-").map { Hex.decode(String($0)) ?? [] }
    return groups.prefix(3).flatMap { $0.reversed() } + groups.dropFirst(3).flatMap { $0 }
  }

  /// The processor's table with one entry of this content.
  static func table(_ content: [UInt8]) -> [UInt8] {
    func length(_ count: Int) -> [UInt8] { (0..<4).map { UInt8(count >> (8 * $0) & 255) } }
    let entry = guid(LaunchSecrets.guid) + length(20 + content.count) + content
    let table = guid("1e74f542-71dd-4d66-963e-ef4287ff173b") + length(20 + entry.count) + entry
    return table + [UInt8](repeating: 0, count: (16 - table.count % 16) % 16)
  }
}

extension GuestTests {
  /// From what the security processor wrote into memory to the workload's environment, through
  /// OVMF and the kernel's efi_secret.
  @Suite(.enabled(if: RehearsedLaunch.missing == nil, RehearsedLaunch.missing ?? "all is there"))
  struct LaunchSecretTests {
    let disk: TestDisk
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)

    init() throws {
      disk = try TestDisk.shared.get()
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func outcome(_ content: [UInt8], _ command: [String]) throws -> GuestMachine.Outcome {
      defer { try? FileManager.default.removeItem(at: folder) }
      var manifest = disk.manifest(command)
      manifest.keyBroker = KeyBrokerAccess(
        url: "https://broker.invalid", publicKeys: [[UInt8](repeating: 1, count: 32)])
      manifest.secrets = [Secret(resource: "kbs:///default/app/key", target: .variable("KEY"))]
      let kind = "sev-es arca.workload=\(Hex.encode(manifest.digest))"
      let launch = try RehearsedLaunch(
        kind, table: RehearsedLaunch.table(content), in: folder)
      let machine = try GuestMachine(disk: disk.file, kind: kind, hostile: launch.options)
      defer { machine.close() }
      return try machine.run(manifest)
    }

    private static let secret = CBOR.map([
      .init(Array("default/app/key".utf8), .bytes(Array("the secret".utf8)))
    ])

    @Test func theSecretOfTheLaunchIsTheWorkloads() throws {
      let outcome = try outcome(Self.secret.encoded(), ["sh", "-c", "echo $KEY"])
      #expect(outcome.text == "the secret\n")
      #expect(outcome.status == 0)
    }

    @Test func anotherResourceThanTheManifestsIsNoneOfIt() throws {
      let other = CBOR.map([.init(Array("default/app/other".utf8), .bytes([1]))])
      expectFailure(try outcome(other.encoded(), ["true"]).last, .secret)
    }

    @Test func anEntryInAnotherFormIsRefused() throws {
      expectFailure(try outcome(Array("default/app/key".utf8), ["true"]).last, .secret)
    }
  }
}
