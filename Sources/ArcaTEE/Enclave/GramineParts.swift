/// The names of Gramine's programs for a kind of enclave, beneath its folder.
public struct GramineParts: Sendable {
  /// The program of the host's that starts everything.
  public let loader: String
  /// What is loaded first into the enclave, and what MRENCLAVE is laid out for.
  public let platform: String

  /// SGX, or where it is simulated Gramine's own way to run without.
  public init(_ kind: LaunchKind) {
    let folder = kind.isSimulated ? "direct" : "sgx"
    loader = folder + "/loader"
    platform = folder + "/libpal.so"
  }

  /// What follows the name of an application in that of its manifest.
  static func manifestSuffix(_ kind: LaunchKind) -> String {
    kind.isSimulated ? ".manifest" : ".manifest.sgx"
  }
}
