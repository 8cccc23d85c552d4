import Crypto

/// A kernel, its initrd and command line that QEMU hands to TDVF firmware.
///
/// RTMR1 holds the kernel and the way to it, RTMR2 what the kernel's EFI stub measures.
public struct TDXDirectBoot: Sendable {
  /// The kernel's Authenticode digest; 48 bytes.
  public let kernelDigest: [UInt8]
  /// The command line that the kernel is given.
  public let commandLine: String
  /// SHA-384 of the initrd; nil where there is none.
  public let initrdDigest: [UInt8]?

  /// Hashes the files' bytes; `serving` says how QEMU changes the kernel.
  public init(
    kernel: [UInt8], initrd: [UInt8]?, commandLine: String, serving: QEMUKernel = .unpatched
  ) throws(MeasurementError) {
    let served = try serving.served(
      kernel, initrdBytes: initrd?.count ?? 0, commandLine: commandLine)
    kernelDigest = try Authenticode.sha384(served)
    self.commandLine = commandLine
    initrdDigest = initrd.map { Array(SHA384.hash(data: $0)) }
  }

  /// RTMR1 once the kernel runs; 48 bytes.
  public func rtmr1() throws(MeasurementError) -> [UInt8] {
    try RTMR(replaying: [
      kernelDigest, RTMREvent.callingApplication, RTMREvent.separator,
      RTMREvent.exitBootServicesInvocation, RTMREvent.exitBootServicesSuccess,
    ]).value
  }

  /// RTMR2 once the kernel runs; 48 bytes.
  public func rtmr2() throws(MeasurementError) -> [UInt8] {
    var digests = [RTMREvent.commandLine(commandLine)]
    if let initrdDigest { digests.append(initrdDigest) }
    return try RTMR(replaying: digests).value
  }
}

/// What OVMF measures into RTMR0 about the machine, of which firmware and files tell only a part.
///
/// The hand-off blocks and ACPI tables come from QEMU and depend on its version and the machine's
/// devices: take them from an event log of that machine, once for each configuration.
public struct TDXMachineEvents: Sendable {
  /// The TD's hand-off block list; 48 bytes.
  public var handOffBlocks: [UInt8]
  /// The firmware's variables, see ``TDVF/configurationDigest``; 48 bytes.
  public var configuration: [UInt8]
  /// The digests of QEMU's ACPI loader script, RSDP and tables, in that order; 48 bytes each.
  public var acpi: [[UInt8]]
  /// The digests of boot order and boot options, in that order; 48 bytes each.
  public var bootOptions: [[UInt8]]

  /// Names all that RTMR0 is made of.
  public init(
    handOffBlocks: [UInt8], configuration: [UInt8], acpi: [[UInt8]], bootOptions: [[UInt8]]
  ) {
    self.handOffBlocks = handOffBlocks
    self.configuration = configuration
    self.acpi = acpi
    self.bootOptions = bootOptions
  }

  /// RTMR0 of a machine without Secure Boot keys; 48 bytes.
  public func rtmr0() throws(MeasurementError) -> [UInt8] {
    let variables = RTMREvent.unsetSecureBootVariables.map(\.digest)
    return try RTMR(
      replaying: [handOffBlocks, configuration] + variables + [RTMREvent.separator] + acpi
        + bootOptions
    ).value
  }
}

extension TDVF {
  /// SHA-384 of the configuration firmware volume, which OVMF measures into RTMR0; nil without one.
  public var configurationDigest: [UInt8]? {
    sections.first { $0.kind == .configuration }.map { Array(SHA384.hash(data: $0.contents)) }
  }
}

/// The TD's configuration identity, in which Arca binds the workload.
public enum MRConfigID {
  /// The workload digest (32 bytes) and 16 zero bytes; 48 bytes.
  public static func value(workloadDigest: [UInt8]) throws(MeasurementError) -> [UInt8] {
    guard workloadDigest.count == SHA256.byteCount else {
      throw MeasurementError(
        .lengthWrong, "a workload digest has 32 bytes, but \(workloadDigest.count) were given")
    }
    return workloadDigest + [UInt8](repeating: 0, count: 16)
  }
}
