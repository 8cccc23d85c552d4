/// Why a launch measurement could not be computed, or an input was refused.
public struct MeasurementError: Error, Equatable, Sendable {
  /// The kind of fault; tests and callers compare this, never the text.
  public enum Code: String, Sendable {
    /// The firmware image is cut short, or a table in it contradicts itself.
    case firmwareMalformed
    /// The firmware image lacks a table that the chosen TEE needs.
    case firmwareUnsuitable
    /// A kernel was given, but the firmware has nowhere to measure it.
    case kernelHashesUnsupported
    /// The number of vCPUs is outside of ``LaunchLimits/vcpus``.
    case vcpuCount
    /// The CPU model has no known signature.
    case cpuModelUnknown
    /// A guest address or size is not what pages of 4,096 bytes allow.
    case pageMisaligned
    /// A digest or key has the wrong number of bytes.
    case lengthWrong
    /// The kernel image is not a Linux bzImage with a PE header where one is needed.
    case kernelMalformed
    /// An SGX enclave's files, page stream or manifest cannot be laid out.
    case enclaveMalformed
    /// The signing key cannot sign an enclave.
    case keyUnsuitable
    /// The SIGSTRUCT's layout or one of its fixed fields is wrong.
    case sigstructMalformed
    /// The SIGSTRUCT's signature does not verify.
    case sigstructSignature
  }

  /// The kind of fault.
  public let code: Code
  /// The thing, what was found, what was expected, and what to do; for people.
  public let detail: String

  /// Creates an error.
  public init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }
}

extension MeasurementError: CustomStringConvertible {
  /// The detail, led by the code.
  public var description: String { "\(code.rawValue): \(detail)" }
}

/// Bounds that hold for every launch measurement.
public enum LaunchLimits {
  /// Bytes in a page of guest memory.
  public static let pageBytes = 4096
  /// Virtual CPUs that a launch may have; 4,096 is KVM's own maximum on x86-64.
  public static let vcpus = 1...4096
  /// Bytes of firmware that are accepted; flash below 4 GiB is smaller on every PC machine.
  public static let firmwareBytesMax = 64 << 20
  /// Bytes of memory that a firmware's own sections may describe in all.
  public static let sectionBytesMax: UInt64 = 256 << 20

  static func check(vcpus count: Int) throws(MeasurementError) {
    guard vcpus.contains(count) else {
      throw MeasurementError(
        .vcpuCount,
        "vCPU count \(count) is not between \(vcpus.lowerBound) and \(vcpus.upperBound)")
    }
  }
}
