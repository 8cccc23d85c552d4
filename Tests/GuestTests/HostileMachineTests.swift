import ArcaBytes
import ArcaManifest
import ArcaWire
import Foundation
import Testing

extension GuestTests {
  /// A host that changes the machine itself: devices, disk, clock.
  @Suite struct HostileMachineTests {
    let disk: TestDisk

    init() throws { disk = try TestDisk.shared.get() }

    /// Prints the driver of every virtio and PCI device, and ends with a line `end`.
    static let listDrivers = """
      for d in /sys/bus/virtio/devices/*/driver /sys/bus/pci/devices/*/driver; do
        busybox readlink $d; done | busybox sed 's|.*/||' | busybox sort -u; echo end
      """
    /// What the guest has a use for, and the bridges of every q35.
    static let known: Set<Substring> = [
      "virtio_blk", "virtio_console", "virtio-pci", "pcieport", "lpc_ich", "ahci", "end",
    ]

    func run(
      _ script: String, hostile: [String] = [], input: [UInt8] = [],
      atStart act: (GuestMachine) throws -> Void = { _ in }
    ) throws -> GuestMachine.Outcome {
      let machine = try GuestMachine(disk: disk.file, hostile: hostile)
      defer { machine.close() }
      return try machine.run(disk.manifest(["sh", "-c", script]), input: input, atStart: act)
    }

    @Test func devicesThatNobodyAskedForFindNoDriver() throws {
      let outcome = try run(
        Self.listDrivers,
        hostile: [
          "-device", "virtio-balloon-pci", "-device", "virtio-rng-pci", "-device", "e1000",
          "-device", "virtio-scsi-pci", "-device", "qemu-xhci", "-device", "edu",
        ])
      let drivers = Set(outcome.text.split(separator: "\n"))
      #expect(outcome.status == 0)
      #expect(drivers.contains("virtio_blk"))
      #expect(drivers.contains("end"))
      #expect(drivers.subtracting(Self.known).isEmpty)
    }

    @Test func aDevicePluggedInWhileRunningFindsNoDriver() throws {
      let outcome = try run(
        "read line; sleep 3; " + Self.listDrivers,
        hostile: ["-device", "pcie-root-port,id=slot0,chassis=9", "-monitor", "stdio"],
        input: [0x0a]
      ) {
        try $0.monitor("device_add virtio-balloon-pci,bus=slot0,id=more0")
        try $0.monitor("balloon 64")
      }
      let drivers = Set(outcome.text.split(separator: "\n"))
      #expect(outcome.status == 0)
      #expect(drivers.contains("end"))
      #expect(drivers.subtracting(Self.known).isEmpty)
    }

    @Test func aDiskWithoutItsManifestsNumberIsNoVolume() throws {
      let outcome = try run(
        "busybox ls /sys/block; busybox mount | busybox grep -c /dev/vdb; true",
        hostile: [
          "-drive", "if=none,id=more,file=\(disk.file.path),format=raw,readonly=on",
          "-device", "virtio-blk-pci,drive=more",
        ])
      #expect(outcome.status == 0)
      #expect(outcome.lines.last == "0")
    }

    @Test func aClockOfLongAgoDecidesNothing() throws {
      let outcome = try run("busybox date +%Y", hostile: ["-rtc", "base=1999-05-05"])
      #expect(outcome.lines == ["1999"])
      #expect(outcome.status == 0)
    }

    /// Changes a copy of the disk once the workload runs, and lets it read the blob.
    func readsChanged(_ change: (FileHandle, Int) throws -> Void) throws -> GuestMachine.Outcome {
      let copy = disk.file.deletingLastPathComponent().appending(path: UUID().uuidString)
      try FileManager.default.copyItem(at: disk.file, to: copy)
      defer { try? FileManager.default.removeItem(at: copy) }
      let block = try disk.offset(ofBlob: 700_000) / 4096 * 4096
      let machine = try GuestMachine(disk: copy)
      defer { machine.close() }
      let manifest = disk.manifest(["sh", "-c", "read line; sha256sum /blob && echo whole"])
      return try machine.run(manifest, input: [0x0a]) { _ in
        let file = try FileHandle(forUpdating: copy)
        try change(file, block)
        try file.close()
      }
    }

    @Test func blocksSwappedWhileRunningAreCaught() throws {
      let outcome = try readsChanged { file, block in
        try file.seek(toOffset: UInt64(block))
        let first = try #require(try file.read(upToCount: 4096))
        let second = try #require(try file.read(upToCount: 4096))
        try #require(first != second)
        try file.seek(toOffset: UInt64(block))
        try file.write(contentsOf: second + first)
      }
      expectFailure(outcome.last, .corruption)
    }

    @Test func aBlockReplacedByAnEarlierOneIsCaught() throws {
      let outcome = try readsChanged { file, block in
        try file.seek(toOffset: UInt64(block) - 8192)
        let earlier = try #require(try file.read(upToCount: 4096))
        try file.seek(toOffset: UInt64(block))
        try file.write(contentsOf: earlier)
      }
      expectFailure(outcome.last, .corruption)
    }

    @Test func aDiskCutShortWhileRunningGivesNoBytes() throws {
      let outcome = try readsChanged { file, block in try file.truncate(atOffset: UInt64(block)) }
      #expect(!outcome.text.contains("whole"))
      if let status = outcome.status { #expect(status != 0) }
    }

    @Test func aDiskThatFailsGivesNoBytes() throws {
      let sector = try disk.offset(ofBlob: 700_000) / 4096 * 8
      let machine = try GuestMachine(
        disk: disk.file,
        faults: "file.inject-error.0.event=read_aio,file.inject-error.0.errno=5,"
          + "file.inject-error.0.sector=\(sector)")
      defer { machine.close() }
      let outcome = try machine.run(
        disk.manifest(["sh", "-c", "echo up; sha256sum /blob && echo whole"]))
      #expect(outcome.lines.first == "up")
      #expect(!outcome.text.contains("whole"))
      if let status = outcome.status { #expect(status != 0) }
    }

    @Test func aConversationInSingleBytesIsUnderstood() throws {
      let machine = try GuestMachine(disk: disk.file)
      defer { machine.close() }
      try machine.ready()
      var writer = ByteWriter()
      let manifest = disk.manifest(["true"])
      for message in [
        HostMessage.manifest(manifest.encoded()), .hostInput(HostInput().encoded()), .start,
      ] { message.frame.write(to: &writer) }
      for (index, byte) in writer.bytes.enumerated() {
        machine.send(raw: [byte])
        // The guest is to see what has come of the first frame, its header among it, in parts.
        if index < 16 { usleep(50_000) }
      }
      guard case .evidenceRequest? = try machine.next() else {
        Issue.record("no request for evidence")
        return
      }
    }
  }
}
