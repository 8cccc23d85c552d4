import ArcaBytes

/// Where things are inside the outer container; the same for every container.
public enum OuterPath {
  /// The launcher, process 1.
  public static let launcher = "/arca/launcher"
  /// Folder of the guest: `vmlinux`, `initrd`, `cmdline`.
  public static let guest = "/arca/guest"
  /// The block device's contents: the EROFS image and its verity tree.
  public static let rootFilesystem = "/arca/rootfs"
  /// The simulated security processor's key and identity.
  public static let simulatedPSP = "/arca/psp"
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
  /// SHA-256 of the guest's files as its release records them.
  public var expected: GuestDigests
  /// HOST_DATA of the launch: the workload digest, 32 bytes.
  public var hostData: [UInt8]
  /// How many virtual processors, 1 to 255.
  public var vcpus: Int
  /// Guest memory in MiB.
  public var memoryMiB: Int
  /// How QEMU runs the guest's instructions.
  public var accelerator: Accelerator
  /// Whether standard input is passed to the workload.
  public var passesInput: Bool
  /// Whether the workload has a terminal, and standard input is to be put in raw mode.
  public var hasTerminal: Bool

  /// SHA-256 of each file that is booted, 32 bytes each.
  public struct GuestDigests: Sendable, Equatable {
    /// Of `vmlinux`.
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
  }

  /// A launch of these parts.
  public init(
    expected: GuestDigests, hostData: [UInt8], vcpus: Int, memoryMiB: Int,
    accelerator: Accelerator, passesInput: Bool, hasTerminal: Bool
  ) {
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
    RecordWriter()
      .bytes("kernel", expected.kernel)
      .bytes("initrd", expected.initrd)
      .bytes("commandLine", expected.commandLine)
      .bytes("hostData", hostData)
      .unsigned("vcpus", UInt64(vcpus))
      .unsigned("memoryMiB", UInt64(memoryMiB))
      .text("accelerator", accelerator.rawValue)
      .bool("passesInput", passesInput)
      .bool("hasTerminal", hasTerminal)
      .encoded()
  }

  /// Reads a description that ``encoded()`` wrote.
  public init(decoding encoded: [UInt8]) throws(TEEError) {
    let record = try RecordReader(encoded, of: "launch description")
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
  }
}
