import ArcaWire

/// Why a TEE could not be started, or did not run its workload to the end.
public struct TEEError: Error, Sendable {
  /// The kind of fault; it travels from the launcher to `arca` as its name.
  public enum Code: String, Sendable, CaseIterable {
    /// A system call failed; ``TEEError/systemError`` says how.
    case system
    /// The launch description or another file of the job is not what this version writes.
    case description
    /// The kernel is not the one whose SHA-256 the guest's release records.
    case kernelChanged
    /// The initrd is not the one whose SHA-256 the guest's release records.
    case initrdChanged
    /// The kernel command line is not the one that the guest's release records.
    case commandLineChanged
    /// The workload manifest is not the one whose digest is bound to the launch.
    case manifestChanged
    /// The root file system does not match its verity tree or the manifest.
    case rootFilesystemChanged
    /// The guest's kernel panicked.
    case kernelPanic
    /// QEMU ended, or could not be started, before the workload had ended.
    case vmm
    /// The guest made no progress for as long as a start may take.
    case startTimeout
    /// The guest sent bytes that the protocol does not allow.
    case wire
    /// `arca-init` reported a failure of its own.
    case guest
    /// The workload's program does not exist (exit status 127).
    case commandNotFound
    /// The workload's program cannot be executed (exit status 126).
    case commandNotExecutable
    /// The simulated PSP could not answer.
    case evidence
    /// The guest could not reach its key broker.
    case keyBroker
    /// Whoever answered the guest is not the key broker that the manifest names, or changed its
    /// bytes.
    case keyBrokerIdentity
    /// The key broker refused the guest's evidence, or a resource.
    case keyBrokerRefused
    /// A secret could not be read, or not be put where it belongs.
    case secret
    /// An encrypted volume is not there, not the newest state of itself, or cannot be used.
    case volume
    /// The `arca` that watched over the container has gone.
    case supervisorGone
  }

  /// The kind of fault.
  public let code: Code
  /// The thing, what was found, what was expected, and what to do.
  public let detail: String
  /// The `errno` beneath, or 0.
  public let systemError: Int32

  /// An error of kind `code`.
  public init(_ code: Code, _ detail: String, systemError: Int32 = 0) {
    self.code = code
    self.detail = detail
    self.systemError = systemError
  }

  /// The exit status that stands for the error, as podman's: 127, 126, else 125.
  public var exitStatus: UInt8 {
    switch code {
    case .commandNotFound: 127
    case .commandNotExecutable: 126
    default: 125
    }
  }

  /// The error that `arca-init` reported.
  init(_ failure: GuestFailure, detail: [UInt8]) {
    let text = printable(detail)
    switch failure {
    case .commandNotFound: self.init(.commandNotFound, text)
    case .commandNotExecutable: self.init(.commandNotExecutable, text)
    case .identity: self.init(.manifestChanged, text)
    case .rootFilesystem, .corruption: self.init(.rootFilesystemChanged, text)
    case .keyBroker: self.init(.keyBroker, "key broker: \(text)")
    case .keyBrokerIdentity: self.init(.keyBrokerIdentity, "key broker: \(text)")
    case .keyBrokerRefused: self.init(.keyBrokerRefused, "key broker: \(text)")
    case .secret: self.init(.secret, "secret: \(text)")
    case .volume: self.init(.volume, text)
    case .wire, .manifest, .evidence, .hostInput, .module, .environment, .process:
      self.init(.guest, "\(failure): \(text)")
    }
  }
}

/// Text of the guest's that is safe on a terminal: control characters become `?`.
package func printable(_ bytes: some Sequence<UInt8>) -> String {
  String(decoding: bytes.map { $0 < 32 || $0 == 127 ? 63 : $0 }, as: UTF8.self)
}
