/// The command line of the QEMU that holds a TEE; the only place that composes it.
public struct QEMUOptions: Sendable {
  /// QEMU's end of the guest's channel.
  static let channelDescriptor: Int32 = 3
  /// QEMU's end of the serial console.
  static let consoleDescriptor: Int32 = 4
  /// QEMU's end of its monitor, where the launch is measured before the guest runs.
  static let monitorDescriptor: Int32 = 5
  /// The name of the virtio-serial port by which `arca-init` finds its channel.
  static let portName = "dev.arca.channel"

  /// How QEMU is executed, program first.
  public var program: [String]
  /// The folder with kernel and initrd.
  public var guest = OuterPath.guest
  /// The file behind the block device.
  public var rootFilesystem = OuterPath.rootFilesystem
  /// The firmware that hardware starts.
  public var firmware = OuterPath.firmware
  /// The folder with the SEV owner's `session` and `dh-cert`.
  public var job = OuterPath.job
  /// The files behind the volumes' disks, in the manifest's order.
  public var volumes: [String]
  /// The kernel's command line.
  public var commandLine: String
  /// Bound on QEMU's translated code, in MiB.
  ///
  /// The control group leaves room for it, not for the gibibyte that QEMU would take; programs of
  /// some size thrash below 64.
  private static let translatedMebibytesMax = 128
  private let launch: LaunchDescription

  /// Taps, and the hardware address of each in the guest.
  public var interfaces: [(tap: String, hardwareAddress: String)] = []

  /// Options for `launch` with the kernel's `commandLine`.
  public init(_ launch: LaunchDescription, commandLine: String) {
    self.launch = launch
    self.commandLine = commandLine
    program = launch.vmm.isEmpty ? [OuterPath.vmm] : launch.vmm
    volumes = (0..<launch.volumes).map(OuterPath.volume)
    interfaces = Array(zip(launch.taps, launch.hardwareAddresses)).map { ($0, $1) }
  }

  /// Whether QEMU waits, before the guest's first instruction, until its monitor says go on.
  var waitsForOwner: Bool { launch.kind.format == .launchMeasurement }

  /// How many folders of the host the guest mounts.
  var folders: Int { launch.folders }

  /// The argument vector, program first.
  ///
  /// q35 because microvm boots unreliably under TCG and SNP and TDX need q35 as well; everything
  /// that a guest with one disk and one port does not use is off, which also shortens the boot.
  public var arguments: [String] {
    program + [
      "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-vga", "none",
      "-name", "arca",
      "-machine",
      "q35,usb=off,vmport=off,smbus=off,sata=off" + machine,
      "-accel", accelerator,
      "-cpu", cpu,
      "-smp", "\(launch.vcpus)", "-m", "\(launch.memoryMiB)M",
    ] + confidential + [
      "-kernel", "\(guest)/\(launch.kind.kernelFile)", "-initrd", guest + "/initrd",
      "-append", commandLine,
      "-blockdev",
      "driver=raw,node-name=rootfs,read-only=on,file.driver=file,file.filename="
        + escaped(rootFilesystem),
      "-device", "virtio-blk-pci,drive=rootfs" + virtio,
      "-device", "virtio-serial-pci,max_ports=2" + virtio,
      "-chardev", "socket,id=channel,fd=\(Self.channelDescriptor)",
      "-device", "virtserialport,chardev=channel,name=\(Self.portName)",
      "-chardev", "socket,id=console,fd=\(Self.consoleDescriptor)",
      "-serial", "chardev:console",
    ] + monitor + [
      "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    ] + volumes.enumerated().flatMap(volumeDisk) + (0..<launch.folders).flatMap(sharedFolder)
      + interfaces.enumerated().flatMap(network)
  }

  /// The guest finds a volume's disk by its serial number.
  ///
  /// A second QEMU is refused by the file's lock, whoever starts it.
  private func volumeDisk(_ index: Int, _ path: String) -> [String] {
    [
      "-blockdev",
      "driver=raw,node-name=volume\(index),file.driver=file,file.locking=on,file.filename="
        + escaped(path),
      "-device", "virtio-blk-pci,drive=volume\(index),serial=volume-\(index)",
    ]
  }

  /// The device of a folder that ``FolderServer`` serves.
  private func sharedFolder(_ index: Int) -> [String] {
    [
      "-chardev", "socket,id=folder\(index),path=\(FolderServer.socket(index))",
      "-device", "vhost-user-fs-pci,chardev=folder\(index),tag=folder-\(index)" + virtio,
    ]
  }

  /// A network card without a boot ROM, which a measured launch has no use for.
  private func network(
    _ number: Int, _ interface: (tap: String, hardwareAddress: String)
  ) -> [String] {
    [
      "-netdev", "tap,id=net\(number),ifname=\(interface.tap),script=no,downscript=no",
      "-device",
      "virtio-net-pci,netdev=net\(number),mac=\(interface.hardwareAddress),romfile=\(virtio)",
    ]
  }

  private var accelerator: String {
    let name = launch.accelerator.rawValue
    return launch.accelerator == .tcg ? "\(name),tb-size=\(Self.translatedMebibytesMax)" : name
  }

  private var machine: String {
    switch launch.kind {
    case .sgx, .simulatedSNP, .simulatedTDX, .simulatedSGX:
      launch.folders > 0 ? ",memory-backend=ram" : ""
    // The backend lets QEMU share what is not private; see ``confidential``.
    case .snp, .sevES, .sev: ",confidential-guest-support=tee,memory-backend=ram"
    // Of the interrupt controllers, a TD's own APIC alone is the kernel's (QEMU, tdx.rst).
    case .tdx: ",confidential-guest-support=tee,memory-backend=ram,kernel-irqchip=split"
    }
  }

  /// The translator does `rep movsb` a byte at a time, which a kernel prefers where it is said to
  /// be fast.
  private var cpu: String {
    launch.hardware?.cpuModel ?? (launch.accelerator == .kvm ? "host" : "max,-erms,-fsrm")
  }

  /// A device of a guest whose memory is private moves data through shared pages, which takes the
  /// modern interface with address translation (virtio 1.2, VIRTIO_F_ACCESS_PLATFORM).
  private var virtio: String {
    launch.kind.isSimulated ? "" : ",disable-legacy=on,iommu_platform=on"
  }

  /// The TEE itself, its memory and its firmware.
  private var confidential: [String] {
    let memory = [
      "-object",
      "memory-backend-memfd,id=ram,size=\(launch.memoryMiB)M,share=on,prealloc=off",
    ]
    guard let hardware = launch.hardware, !launch.kind.isSimulated else {
      // The folders' servers read and write it.
      return launch.folders > 0 ? memory : []
    }
    let tee: String
    switch launch.kind {
    case .snp: tee = snpGuest(hardware)
    case .sevES, .sev: tee = sevGuest(hardware)
    case .tdx: tee = tdxGuest(hardware)
    case .sgx, .simulatedSNP, .simulatedTDX, .simulatedSGX: return []
    }
    return memory + ["-object", tee, "-bios", firmware]
  }

  private func snpGuest(_ hardware: HardwareLaunch) -> String {
    var options = [
      "sev-snp-guest", "id=tee", "cbitpos=\(hardware.encryptionBit)",
      "reduced-phys-bits=\(hardware.reducedAddressBits)",
      "policy=0x\(String(hardware.policy, radix: 16))", "kernel-hashes=on",
      "host-data=\(base64(launch.hostData))",
    ]
    if !hardware.idBlock.isEmpty {
      options += [
        "id-block=\(base64(hardware.idBlock))", "id-auth=\(base64(hardware.idAuthentication))",
        "author-key-enabled=on",
      ]
    }
    return options.joined(separator: ",")
  }

  private func sevGuest(_ hardware: HardwareLaunch) -> String {
    var options = [
      "sev-guest", "id=tee", "cbitpos=\(hardware.encryptionBit)",
      "reduced-phys-bits=\(hardware.reducedAddressBits)",
      "policy=0x\(String(hardware.policy, radix: 16))", "kernel-hashes=on",
    ]
    if hardware.hasSession {
      options += ["dh-cert-file=\(escaped(job))/dh-cert", "session-file=\(escaped(job))/session"]
    }
    return options.joined(separator: ",")
  }

  /// JSON, since a socket's address is an object.
  private func tdxGuest(_ hardware: HardwareLaunch) -> String {
    let identity = launch.hostData + [UInt8](repeating: 0, count: 48 - launch.hostData.count)
    let socket =
      hardware.hasQuoteService
      ? ",\"quote-generation-socket\":{\"type\":\"unix\",\"path\":\"\(OuterPath.quoteService)\"}"
      : ""
    return "{\"qom-type\":\"tdx-guest\",\"id\":\"tee\",\"attributes\":"
      + "\(HardwareLaunch.tdAttributes),\"mrconfigid\":\"\(base64(identity))\"\(socket)}"
  }

  private var monitor: [String] {
    guard waitsForOwner else { return [] }
    return [
      "-chardev", "socket,id=monitor,fd=\(Self.monitorDescriptor)",
      "-mon", "chardev=monitor,mode=control", "-S",
    ]
  }

  /// QEMU's option syntax doubles commas in values.
  private func escaped(_ value: String) -> String {
    value.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
  }
}
