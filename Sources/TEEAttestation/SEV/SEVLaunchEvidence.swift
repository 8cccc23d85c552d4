/// What a host says about the launch of a SEV-ES or SEV guest that waits for its owner: the
/// document of ``Evidence`` for these kinds.
///
/// LAUNCH_MEASURE is keyed with what only the owner and the platform know, so the digest that it
/// proves may come from anybody.
public struct SEVLaunchEvidence: Sendable, Equatable {
  private static let headBytes = 4 + 3 + 32 + 48

  /// The guest policy.
  public var policy: UInt32
  /// Major and minor version of the processor's interface, and its firmware's build.
  public var api: [UInt8]
  /// The launch digest that the host claims, 32 bytes.
  public var digest: [UInt8]
  /// LAUNCH_MEASURE's answer: measurement, 32 bytes, and nonce, 16 bytes.
  public var blob: [UInt8]
  /// The platform's certificates, as ``SEVChain`` reads them.
  public var chain: [UInt8]

  /// What a host says, in parts.
  ///
  /// Throws `malformed` where a part has another size than it must have.
  public init(
    policy: UInt32, api: [UInt8], digest: [UInt8], blob: [UInt8], chain: [UInt8]
  ) throws(AttestationError) {
    for (name, found, expected) in [
      ("api", api.count, 3), ("launch digest", digest.count, 32), ("measurement", blob.count, 48),
    ] where found != expected {
      throw AttestationError(
        .malformed, "SEV launch: the \(name) has \(found) bytes, expected \(expected)")
    }
    self.policy = policy
    self.api = api
    self.digest = digest
    self.blob = blob
    self.chain = chain
  }

  /// The document: policy (32 bits, little-endian), api, digest, blob, chain.
  public var document: [UInt8] {
    SEVSession.littleEndian(policy) + api + digest + blob + chain
  }

  /// Reads a ``document``.
  init(document: [UInt8]) throws(AttestationError) {
    guard document.count >= Self.headBytes else {
      throw AttestationError(.malformed, "SEV launch: \(document.count) bytes are too few")
    }
    try self.init(
      policy: (0..<4).reduce(0) { $0 | UInt32(document[$1]) << (8 * $1) },
      api: Array(document[4..<7]), digest: Array(document[7..<39]), blob: Array(document[39..<87]),
      chain: Array(document[Self.headBytes...]))
  }
}

/// Verification of a launch that SEV-ES or SEV measured (AMD 55766, chapters 3 and 6).
///
/// There is no revocation list to ask for: AMD issues none for these certificates.
enum SEVVerification {
  /// Bits of the guest policy.
  private enum Policy {
    static let noDebug: UInt32 = 1
    static let noKeySharing: UInt32 = 1 << 1
    static let es: UInt32 = 1 << 2
    static let noSend: UInt32 = 1 << 3
  }

  /// Verifies the launch of `context`, records every check, and returns what it states, or nil
  /// where it could not be parsed.
  static func verify(_ context: VerificationContext, into findings: inout Findings) -> Claims? {
    let launch: SEVLaunchEvidence
    let chain: SEVChain
    do {
      launch = try SEVLaunchEvidence(document: context.evidence.document)
      chain = try SEVChain(launch.chain, roots: context.anchors.sevRoots)
    } catch {
      if error.code == .invalidKey {
        findings.check(
          "chain", expected: .text("signed, up to a root that is trusted"),
          found: .text(error.detail), passed: false, else: .untrustedRoot)
      } else {
        findings.malformed("launch", error)
      }
      return nil
    }
    findings.simulated = chain.isSimulated
    if let session = context.endorsements.session {
      let expected = session.measurement(
        ofLaunch: launch.digest, api: launch.api, nonce: Array(launch.blob[32...]))
      findings.equal(
        "launch.policy", .number(UInt64(launch.policy)), .number(UInt64(session.policy)))
      // Only equality is told, never the value that would pass.
      findings.flag("launch.measurement", launch.blob.starts(with: expected), else: .tampered)
    } else {
      findings.lacks("the owner's session with the platform")
    }
    findings.flag(
      "launch.policy.es", launch.policy & Policy.es != 0, is: context.evidence.kind == .sevES,
      else: .mismatch)
    // Another guest of the host's, not measured, would run under the same key.
    findings.flag(
      "launch.policy.no_key_sharing", launch.policy & Policy.noKeySharing != 0, else: .mismatch)
    return claims(context.evidence.kind, launch, chain)
  }

  private static func claims(
    _ kind: TEEKind, _ launch: SEVLaunchEvidence, _ chain: SEVChain
  ) -> Claims {
    let names = ["api_major", "api_minor", "build"]
    return Claims(
      tee: kind, measurement: launch.digest, runtimeRegisters: [], hostData: [], reportData: [],
      signer: [], debug: launch.policy & Policy.noDebug == 0,
      migratable: launch.policy & Policy.noSend == 0, vmpl: nil,
      tcb: TCBVersion(zip(names, launch.api).map { .init($0, UInt32($1)) }), chipID: chain.chip,
      fields: [
        Claim("product", .text(chain.product)), Claim("policy", .number(UInt64(launch.policy))),
        Claim("api", .text("\(launch.api[0]).\(launch.api[1])")),
        Claim("build", .number(UInt64(launch.api[2]))),
        Claim("measurement", .bytes(launch.digest)), Claim("chip_id", .bytes(chain.chip)),
      ])
  }
}
