/// Why the key broker refused a request, a file or a stored record.
public struct KeyBrokerError: Error, Sendable, CustomStringConvertible {
  /// The kind of fault; tests, callers and the audit log compare this, never the text.
  public enum Code: String, Sendable, CaseIterable {
    /// A request, token or record that is not in its format.
    case malformed
    /// A body, string or count above its bound.
    case tooLarge = "too-large"
    /// A protocol version other than the one that is served.
    case unsupportedVersion = "unsupported-version"
    /// A kind of TEE that is not verified here.
    case unsupportedTEE = "unsupported-tee"
    /// A public key that secrets cannot be encrypted to.
    case invalidKey = "invalid-key"
    /// No session by that identifier.
    case unknownSession = "unknown-session"
    /// The session's time is over.
    case expiredSession = "expired-session"
    /// Too many sessions are open.
    case tooManySessions = "too-many-sessions"
    /// The nonce is not the session's, or was used before.
    case staleNonce = "stale-nonce"
    /// The evidence does not hold; the detail names each reason.
    case evidenceRefused = "evidence-refused"
    /// Simulated evidence, where it is not explicitly allowed.
    case simulatedRefused = "simulated-refused"
    /// The session has not been attested.
    case notAttested = "not-attested"
    /// A token that is not this broker's, is expired or has no session.
    case invalidToken = "invalid-token"
    /// An administrator's token that is missing, expired or signed by no known key.
    case invalidAdminToken = "invalid-admin-token"
    /// A resource path that is not `repository/type/tag`.
    case invalidPath = "invalid-path"
    /// No rule of the policy names the resource.
    case noRule = "no-rule"
    /// Rules name the resource, and none accepts the evidence.
    case policyDenied = "policy-denied"
    /// The resource does not exist.
    case missingResource = "missing-resource"
    /// The resource was released for this session's nonce before.
    case alreadyReleased = "already-released"
    /// A counter that is not what the caller expected it to be.
    case counterConflict = "counter-conflict"
    /// A policy that cannot be read or leaves something out.
    case invalidPolicy = "invalid-policy"
    /// A configuration that cannot be read or leaves something out.
    case invalidConfiguration = "invalid-configuration"
    /// A key file that is missing, has the wrong length or may be read by others.
    case keyFile = "key-file"
    /// Stored data that does not decrypt or whose binding does not hold.
    case corrupted
    /// The store failed.
    case store
    /// A backup is being restored into the store.
    case restoring
    /// The audit log's chain does not hold.
    case auditChain = "audit-chain"
  }

  /// The kind of fault.
  public let code: Code
  /// What was at fault, found and expected, and what to do.
  public let detail: String

  /// Creates an error.
  public init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }

  /// The code and the detail, for people.
  public var description: String { "\(code.rawValue): \(detail)" }
}
