import TEEMeasurement

/// What the owner of an enclave chooses about it besides the workload: all of it is measured or
/// signed.
public struct EnclaveOptions: Sendable, Equatable {
  /// The least and the most of ``enclaveBytes``.
  public static let enclaveBytesRange: ClosedRange<UInt64> = 64 << 20...1 << 40
  /// The least and the most of ``threads``; Gramine itself needs up to four.
  public static let threadsRange = 4...4096

  /// Size of the enclave's address range, a power of two: what images run loads 256 MiB at most.
  public var enclaveBytes: UInt64 = 1 << 30
  /// How many threads the enclave has room for, Gramine's own included.
  public var threads = 32
  /// Whether memory is added as it is used (EDMM), on processors and kernels that can.
  public var addsPagesOnDemand = false
  /// Whether the host may debug the enclave, and so read it.
  public var isDebuggable = false
  /// Whether the workload learns the address of a fault (MISCSELECT.EXINFO).
  public var keepsExceptionInformation = false
  /// The product's number.
  public var productID: UInt16 = 0
  /// The product's security version.
  public var securityVersion: UInt16 = 0
  /// What the processor must or must not have, in Gramine's words: `avx`, `avx512` and `amx` are
  /// required, disabled or unspecified, `mpx` and `pkru` required or disabled.
  public var processorFeatures: [String: String] = [:]

  /// The features and what holds of them unless said otherwise.
  static let featureDefaults: KeyValuePairs = [
    "avx": "unspecified", "avx512": "unspecified", "amx": "unspecified", "mpx": "disabled",
    "pkru": "disabled",
  ]

  /// What holds unless said otherwise.
  public init() {}

  /// What a manifest says.
  public init(_ manifest: GramineManifest) {
    enclaveBytes = manifest.enclaveBytes
    threads = manifest.threads
    addsPagesOnDemand = manifest.addsPagesOnDemand
    isDebuggable = manifest.isDebuggable
    keepsExceptionInformation = manifest.keepsExceptionInformation
    productID = manifest.productID
    securityVersion = manifest.securityVersion
    processorFeatures = manifest.processorFeatures
  }

  /// Refuses what no enclave can be.
  func check() throws(RuntimeError) {
    guard Self.enclaveBytesRange.contains(enclaveBytes), enclaveBytes.nonzeroBitCount == 1 else {
      throw RuntimeError(
        .usage,
        "an enclave of \(enclaveBytes) bytes: expected a power of two from 64 MiB to 1 TiB")
    }
    guard Self.threadsRange.contains(threads) else {
      throw RuntimeError(
        .usage,
        "an enclave of \(threads) threads: expected \(Self.threadsRange.lowerBound) to "
          + "\(Self.threadsRange.upperBound)")
    }
    for (name, value) in processorFeatures {
      guard let absent = Self.featureDefaults.first(where: { $0.key == name })?.value else {
        let known = Self.featureDefaults.map(\.key).joined(separator: ", ")
        throw RuntimeError(.usage, "processor feature \(name): expected one of \(known)")
      }
      guard ["required", "disabled", absent].contains(value) else {
        throw RuntimeError(
          .usage, "processor feature \(name) is \(value): expected required, disabled or \(absent)")
      }
    }
  }

  /// The size with the greatest unit that divides it, as Gramine writes it.
  var sizeText: String {
    for (unit, shift) in [("G", 30), ("M", 20)] where enclaveBytes >> UInt64(shift) > 0 {
      return "\(enclaveBytes >> UInt64(shift))\(unit)"
    }
    return "\(enclaveBytes >> 10)K"
  }
}
