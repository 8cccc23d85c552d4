import ArcaBytes

/// Where things are inside the outer container; the same for every container.
public enum OuterPath {
  /// The launcher, process 1.
  public static let launcher = "/arca/launcher"
  /// Folder of the guest: `vmlinux`, `initrd`, `cmdline`.
  public static let guest = "/arca/guest"
  /// The block device's contents: the EROFS image and its verity tree.
  public static let rootFilesystem = "/arca/rootfs"
  /// The workload's root where there is no guest kernel to mount it.
  public static let enclaveRoot = "/arca/root"
  /// An enclave's first program, beneath ``enclaveRoot``.
  public static let enclaveProgram = "/arca/init"
  /// The same file, where the outer container has it.
  public static let enclaveProgramFile = guest + "/arca-init"
  /// The same file, where it is entered without Gramine.
  public static let standInProgram = enclaveRoot + enclaveProgram
  /// An enclave's Gramine manifest; with a suffix behind it, what Gramine itself reads.
  public static let enclaveManifest = job + "/enclave"
  /// Gramine's folder.
  public static let gramine = "/arca/gramine"
  /// What Gramine has to say.
  public static let gramineLog = result + "/gramine.log"
  /// The device that makes enclaves.
  public static let enclaveDevice = "/dev/sgx_enclave"
  /// The folder of the socket at which Intel's AESM service gives quotes.
  public static let enclaveService = "/var/run/aesmd"
  /// The disk of the manifest's volume number `index`.
  public static func volume(_ index: Int) -> String { "/arca/volume-\(index)" }
  /// The host's folder number `index` that is shared.
  public static func folder(_ index: Int) -> String { "/arca/folder-\(index)" }
  /// What signs a simulated TEE's evidence: ``SimulatedKey``.
  public static let simulatedKey = "/arca/key"
  /// The firmware that hardware starts.
  public static let firmware = "/arca/firmware"
  /// The tree of QEMU where it is not the system's.
  public static let tools = "/arca/tools"
  /// The socket of Intel's quote generation service, where the host has one.
  public static let quoteService = "/arca/qgs"
  /// Folder of what `arca` hands in: ``LaunchDescription``, manifest, host input.
  public static let job = "/arca/job"
  /// Folder that the launcher writes: status and evidence.
  public static let result = "/run/arca"
  /// QEMU's program file.
  public static let vmm = "/usr/bin/qemu-system-x86_64"
  /// The descriptor that leads to the `arca` which watches over the container.
  public static let supervisorDescriptor: Int32 = 3
}

/// How QEMU runs the guest's instructions.
public enum Accelerator: String, Sendable, CaseIterable {
  /// The kernel's virtual machines (`/dev/kvm`).
  case kvm
  /// QEMU's translation of instructions.
  case tcg
}

/// What the launcher is to boot and how, written by `arca` into the container.
public struct LaunchDescription: Sendable, Equatable {
  /// The kind of TEE.
  public var kind: LaunchKind
  /// SHA-256 of the guest's files as its release records them.
  public var expected: GuestDigests
  /// What the launch binds: the workload digest, 32 bytes.
  public var hostData: [UInt8]
  /// How many virtual processors, 1 to 255.
  public var vcpus: Int
  /// Guest memory in MiB.
  public var memoryMiB: Int
  /// How QEMU runs the guest's instructions.
  public var accelerator: Accelerator
  /// How the hardware is asked for its TEE; nil in simulation.
  public var hardware: HardwareLaunch?
  /// How QEMU is executed, program first, where it is not the system's.
  public var vmm: [String] = []
  /// Whether standard input is passed to the workload.
  public var passesInput: Bool
  /// Whether the workload has a terminal, and standard input is to be put in raw mode.
  public var hasTerminal: Bool
  /// The key broker that the guest may be connected to, as the manifest's URL names it, or nil.
  public var keyBroker: BrokerEndpoint?
  /// Whether an `arca` watches over the launcher; otherwise an engine does, which knows it only as
  /// a process.
  public var isSupervised = true
  /// Whether Gramine serves an enclave's workload; otherwise `arca-init` is entered without it.
  public var usesGramine = false
  /// How many volumes' disks are attached, at most ``volumesMax``.
  public var volumes = 0
  /// The most volumes of a manifest.
  public static let volumesMax = 16
  /// How many folders of the host are shared with the guest, at most ``foldersMax``.
  public var folders = 0
  /// The most folders of a host.
  public static let foldersMax = 16
  /// The taps of the container's network namespace, and the hardware address of each in the guest.
  public var taps: [String] = []
  /// Hardware addresses, as text.
  public var hardwareAddresses: [String] = []

  /// SHA-256 of each file that is booted, 32 bytes each.
  public struct GuestDigests: Sendable, Equatable {
    /// Of the kernel that the kind of TEE boots.
    public var kernel: [UInt8]
    /// Of `initrd`.
    public var initrd: [UInt8]
    /// Of the file `cmdline`.
    public var commandLine: [UInt8]

    /// Digests of a release's files.
    public init(kernel: [UInt8], initrd: [UInt8], commandLine: [UInt8]) {
      self.kernel = kernel
      self.initrd = initrd
      self.commandLine = commandLine
    }

    /// The digest of what an enclave starts with, which has neither initrd nor command line.
    public init(enclaveProgram: [UInt8]) {
      let none = [UInt8](repeating: 0, count: 32)
      self.init(kernel: enclaveProgram, initrd: none, commandLine: none)
    }
  }

  /// A launch of these parts.
  public init(
    kind: LaunchKind, expected: GuestDigests, hostData: [UInt8], vcpus: Int, memoryMiB: Int,
    accelerator: Accelerator, passesInput: Bool, hasTerminal: Bool
  ) {
    self.kind = kind
    self.expected = expected
    self.hostData = hostData
    self.vcpus = vcpus
    self.memoryMiB = memoryMiB
    self.accelerator = accelerator
    self.passesInput = passesInput
    self.hasTerminal = hasTerminal
  }

  /// The CBOR of the description.
  public func encoded() -> [UInt8] {
    let writer = RecordWriter()
      .text("kind", kind.rawValue)
      .texts("vmm", vmm)
      .bytes("kernel", expected.kernel)
      .bytes("initrd", expected.initrd)
      .bytes("commandLine", expected.commandLine)
      .bytes("hostData", hostData)
      .unsigned("vcpus", UInt64(vcpus))
      .unsigned("memoryMiB", UInt64(memoryMiB))
      .text("accelerator", accelerator.rawValue)
      .bool("passesInput", passesInput)
      .bool("hasTerminal", hasTerminal)
      .bool("isSupervised", isSupervised)
      .bool("usesGramine", usesGramine)
      .texts("taps", taps)
      .texts("hardwareAddresses", hardwareAddresses)
      .unsigned("volumes", UInt64(volumes))
      .unsigned("folders", UInt64(folders))
      .text("keyBrokerHost", keyBroker?.host ?? "")
      .unsigned("keyBrokerPort", UInt64(keyBroker?.port ?? 0))
    return (hardware.map { $0.adding(to: writer) } ?? writer).encoded()
  }

  /// Reads a description that ``encoded()`` wrote.
  public init(decoding encoded: [UInt8]) throws(TEEError) {
    let record = try RecordReader(encoded, of: "launch description")
    guard let kind = LaunchKind(rawValue: try record.text("kind")) else {
      throw TEEError(.description, "launch description: unknown kind of TEE")
    }
    self.kind = kind
    hardware = kind.isSimulated ? nil : try HardwareLaunch(record)
    vmm = try record.texts("vmm")
    expected = GuestDigests(
      kernel: try record.bytes("kernel", count: 32), initrd: try record.bytes("initrd", count: 32),
      commandLine: try record.bytes("commandLine", count: 32))
    hostData = try record.bytes("hostData", count: 32)
    vcpus = Int(try record.unsigned("vcpus", 1...255))
    memoryMiB = Int(try record.unsigned("memoryMiB", 32...(1 << 24)))
    guard let accelerator = Accelerator(rawValue: try record.text("accelerator")) else {
      throw TEEError(.description, "launch description: unknown accelerator")
    }
    self.accelerator = accelerator
    passesInput = try record.bool("passesInput")
    hasTerminal = try record.bool("hasTerminal")
    volumes = Int(try record.unsigned("volumes", 0...UInt64(Self.volumesMax)))
    folders = Int(try record.unsigned("folders", 0...UInt64(Self.foldersMax)))
    let host = try record.text("keyBrokerHost")
    let port = UInt16(try record.unsigned("keyBrokerPort", 0...65_535))
    keyBroker = host.isEmpty ? nil : BrokerEndpoint(host: host, port: port)
    isSupervised = try record.bool("isSupervised")
    usesGramine = try record.bool("usesGramine")
    taps = try record.texts("taps")
    hardwareAddresses = try record.texts("hardwareAddresses")
  }
}
