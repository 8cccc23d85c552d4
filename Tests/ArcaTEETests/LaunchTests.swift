import ArcaTEE
import Testing

@Suite("What is booted and how")
struct LaunchTests {
  private let launch = LaunchDescription(
    kind: .simulatedSNP,
    expected: .init(
      kernel: [UInt8](repeating: 1, count: 32), initrd: [UInt8](repeating: 2, count: 32),
      commandLine: [UInt8](repeating: 3, count: 32)),
    hostData: [UInt8](repeating: 4, count: 32), vcpus: 2, memoryMiB: 512, accelerator: .tcg,
    passesInput: true, hasTerminal: false)

  @Test("QEMU's command line")
  func options() {
    var options = QEMUOptions(launch, commandLine: "console=ttyS0 arca.tee=sim-snp")
    options.rootFilesystem = "/a,b"
    let expected = """
      /usr/bin/qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -vga none \
      -name arca -machine q35,usb=off,vmport=off,smbus=off,sata=off -accel tcg,tb-size=128 \
      -cpu max,-erms,-fsrm -smp 2 -m 512M -kernel /arca/guest/vmlinux -initrd /arca/guest/initrd \
      -append console=ttyS0 arca.tee=sim-snp \
      -blockdev driver=raw,node-name=rootfs,read-only=on,file.driver=file,file.filename=/a,,b \
      -device virtio-blk-pci,drive=rootfs -device virtio-serial-pci,max_ports=2 \
      -chardev socket,id=channel,fd=3 \
      -device virtserialport,chardev=channel,name=dev.arca.channel \
      -chardev socket,id=console,fd=4 -serial chardev:console \
      -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
      """
    #expect(options.arguments.joined(separator: " ") == expected)
  }

  @Test("A launch description survives its encoding, and no cut of it is accepted")
  func description() throws {
    let encoded = launch.encoded()
    #expect(try LaunchDescription(decoding: encoded) == launch)
    for count in 0..<encoded.count {
      #expect(throws: TEEError.self) {
        try LaunchDescription(decoding: Array(encoded.prefix(count)))
      }
    }
  }

  @Test("The console's story of a panic and of corruption becomes an error of that name")
  func console() {
    var panic = ConsoleTail()
    panic.append(Array("[ 1.0] Kernel panic - not syncing: VFS\r\n".utf8))
    #expect(panic.error?.code == .kernelPanic)
    var corruption = ConsoleTail()
    corruption.append(Array("device-mapper: verity: 254:0: data block 7 is corrupted\n".utf8))
    #expect(corruption.error?.code == .rootFilesystemChanged)
    var flood = ConsoleTail()
    flood.append([UInt8](repeating: 65, count: 1 << 20) + [10])
    for _ in 0..<1000 { flood.append([66, 10]) }
    #expect(flood.lines.count == ConsoleTail.linesMax)
    #expect(flood.error == nil)
  }
}
