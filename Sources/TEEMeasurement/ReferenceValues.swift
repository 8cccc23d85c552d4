/// The platform measurements of one release: what evidence must show, for each TEE.
///
/// Encoding is deterministic where the encoder sorts keys: lists keep their order, and every digest
/// is lowercase hexadecimal.
public struct ReferenceValues: Sendable, Equatable, Codable {
  /// Version of this format.
  public static let formatVersion = 1

  /// The format's version; ``formatVersion``.
  public var version: Int
  /// The release that the values belong to.
  public var release: String
  /// SHA-256 of each input file, by what it is: firmware, kernel, initrd.
  public var inputs: [String: String]
  /// The kernel command line.
  public var commandLine: String
  /// One value for each TEE, CPU model and vCPU count.
  public var values: [ReferenceValue]

  /// Collects the values of `release`.
  public init(
    release: String, inputs: [String: String], commandLine: String, values: [ReferenceValue]
  ) {
    version = Self.formatVersion
    self.release = release
    self.inputs = inputs
    self.commandLine = commandLine
    self.values = values
  }
}

/// The measurement that one configuration must show.
public struct ReferenceValue: Sendable, Equatable, Codable {
  /// The TEE: `snp`, `sev-es`, `sev`, `tdx` or `sgx`.
  public var tee: String
  /// The QEMU CPU models that share the value; absent where it does not depend on the model.
  public var cpuModels: [String]?
  /// The number of vCPUs; absent where the value does not depend on it.
  public var vcpus: Int?
  /// The digests by the vendor's name, in hexadecimal: `measurement`, `mrtd`, `rtmr1`, `mrenclave`.
  public var digests: [String: String]

  /// States one value.
  public init(tee: String, cpuModels: [String]?, vcpus: Int?, digests: [String: String]) {
    self.tee = tee
    self.cpuModels = cpuModels
    self.vcpus = vcpus
    self.digests = digests
  }
}
