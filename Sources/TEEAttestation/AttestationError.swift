import TEEEvidence

/// Why a certificate, revocation list, policy or piece of evidence could not be read.
///
/// A rejected verdict is not an error; see ``Verdict``.
public struct AttestationError: Error, Equatable, Sendable {
  /// The kind of fault; tests and callers compare this, never the text.
  public enum Code: String, Sendable {
    /// The encoding is not the one that its format demands (DER, PEM, a fixed layout).
    case malformed
    /// A length or count above the bound that this module states for it.
    case tooLarge
    /// An algorithm or key kind that no vendor's chain uses.
    case unsupportedAlgorithm
    /// A critical extension that is not understood (RFC 5280, section 4.2).
    case unknownCriticalExtension
    /// A public or private key that is not one.
    case invalidKey
    /// A policy that leaves a field out, or holds a value of the wrong form.
    case invalidPolicy
    /// A file that could not be read or written.
    case inputOutput
  }

  /// The kind of fault.
  public let code: Code
  /// What was at fault, what was expected and found.
  public let detail: String

  /// Creates an error.
  public init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }

  /// The same fault as `error`, found while reading `document`.
  public init(_ error: EvidenceError, in document: String) {
    let place = error.offset < 0 ? "" : " at byte \(error.offset)"
    self.init(
      error.code == .tooLarge ? .tooLarge : .malformed,
      "\(document): field \(error.field) is \(error.code)\(place)")
  }
}
