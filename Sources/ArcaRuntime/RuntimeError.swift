import ArcaTEE

/// Why a container could not be made, run, found or removed.
public struct RuntimeError: Error, Sendable, CustomStringConvertible {
  /// The kind of fault.
  public enum Code: String, Sendable {
    /// A file or folder of Arca's state could not be read or written.
    case state
    /// The guest, the launcher or QEMU is not installed, or not whole.
    case installation
    /// The manifest does not fit the image, or no rule of it allows what was asked for.
    case manifest
    /// No container has that name.
    case notFound
    /// The name is taken, or cannot be one.
    case name
    /// The container runs, where only one that does not will do.
    case running
    /// The container does not run, where only one that does will do.
    case notRunning
    /// The OCI runtime failed.
    case ociRuntime
    /// The kind of TEE cannot be had on this machine.
    case unsupported
    /// The command line cannot be read.
    case usage
    /// A volume cannot be made, or cannot be attached.
    case volume
    /// The TEE failed.
    case tee
  }

  /// The kind of fault.
  public let code: Code
  /// The thing, what was found, what was expected, and what to do.
  public let detail: String
  /// The exit status that stands for the error, as podman's.
  public let exitStatus: UInt8

  /// An error of kind `code`.
  public init(_ code: Code, _ detail: String, exitStatus: UInt8 = 125) {
    self.code = code
    self.detail = detail
    self.exitStatus = exitStatus
  }

  /// An error of the layer below, seen as one of kind `code`.
  init(_ error: TEEError, _ code: Code = .state) {
    self.init(code, describe(error), exitStatus: error.exitStatus)
  }

  /// The detail.
  public var description: String { detail }
}

/// The error in a sentence: its kind, its detail, and the system's reason.
package func describe(_ error: TEEError) -> String {
  let isPlain = error.code == .system || error.code == .description
  let reason = error.systemError == 0 ? "" : ": \(systemReason(error.systemError))"
  return (isPlain ? "" : "\(error.code): ") + error.detail + reason
}
