/// The command line of the QEMU that holds a simulated TEE; the only place that composes it.
public struct QEMUOptions: Sendable {
  /// QEMU's end of the guest's channel.
  static let channelDescriptor: Int32 = 3
  /// QEMU's end of the serial console.
  static let consoleDescriptor: Int32 = 4
  /// The name of the virtio-serial port by which `arca-init` finds its channel.
  static let portName = "dev.arca.channel"

  /// The program.
  public var program = OuterPath.vmm
  /// The folder with `vmlinux` and `initrd`.
  public var guest = OuterPath.guest
  /// The file behind the block device.
  public var rootFilesystem = OuterPath.rootFilesystem
  /// The kernel's command line.
  public var commandLine: String
  /// How many virtual processors.
  public var vcpus: Int
  /// Guest memory in MiB.
  public var memoryMiB: Int
  /// How instructions are run.
  public var accelerator: Accelerator

  /// Options for `launch` with the kernel's `commandLine`.
  public init(_ launch: LaunchDescription, commandLine: String) {
    self.commandLine = commandLine
    vcpus = launch.vcpus
    memoryMiB = launch.memoryMiB
    accelerator = launch.accelerator
  }

  /// The argument vector, program first.
  ///
  /// q35 because microvm boots unreliably under TCG and SNP and TDX need q35 as well; everything
  /// that a guest with one disk and one port does not use is off, which also shortens the boot.
  public var arguments: [String] {
    [
      program, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-vga", "none",
      "-name", "arca",
      "-machine", "q35,accel=\(accelerator.rawValue),usb=off,vmport=off,smbus=off,sata=off",
      "-cpu", accelerator == .kvm ? "host" : "max",
      "-smp", "\(vcpus)", "-m", "\(memoryMiB)M",
      "-kernel", guest + "/vmlinux", "-initrd", guest + "/initrd", "-append", commandLine,
      "-blockdev",
      "driver=raw,node-name=rootfs,read-only=on,file.driver=file,file.filename="
        + escaped(rootFilesystem),
      "-device", "virtio-blk-pci,drive=rootfs",
      "-device", "virtio-serial-pci,max_ports=2",
      "-chardev", "socket,id=channel,fd=\(Self.channelDescriptor)",
      "-device", "virtserialport,chardev=channel,name=\(Self.portName)",
      "-chardev", "socket,id=console,fd=\(Self.consoleDescriptor)",
      "-serial", "chardev:console",
      "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    ]
  }

  /// QEMU's option syntax doubles commas in values.
  private func escaped(_ value: String) -> String {
    value.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
  }
}
