import ArcaBytes
import Foundation
import TEEAttestation

extension KeyBroker {
  /// The JWE (flattened JSON) of the resource at `path` for the attester of `session`, or of the
  /// session that the bearer token `token` names.
  ///
  /// A resource is released once for each session, so once for each nonce.
  public func resource(
    _ path: String, session id: String?, token: String?
  ) async throws(KeyBrokerError) -> String {
    let now = clock()
    // Without a session nobody knows who asks; such requests are counted, not logged, so that
    // strangers cannot fill the log.
    let session = try await attestedSession(id, token, at: now)
    var trail = Self.trail(session, path)
    do throws(KeyBrokerError) {
      let path = try ResourcePath(path)
      let (attested, grant) = try await authorize(path, session, at: now)
      trail += Self.details(grant)
      guard let sealed = try await store.resource(path) else {
        throw KeyBrokerError(.missingResource, "\(path): no such resource")
      }
      let jwe = try encrypt(sealed, for: grant, to: attested.key)
      // The release is on disk before the answer leaves, so a crash never gives it out twice.
      let event = AuditEvent(.release, at: now, trail)
      guard try await store.release(path, toSession: session.id, audit: event) else {
        throw KeyBrokerError(.alreadyReleased, "\(path): was released to this session before")
      }
      return jwe.json
    } catch {
      trail.append(.init("reasons", .string(error.detail)))
      try await store.append(AuditEvent(.release, refusal: error.code, at: now, trail))
      throw error
    }
  }

  /// What the policy in force grants the session's attester at `path`.
  func authorize(
    _ path: ResourcePath, _ session: SessionRecord, at now: Int64
  ) async throws(KeyBrokerError) -> (Attested, ReleaseGrant) {
    let attested = try memory.attested(session)
    let evidence = await judged(
      attested.received, reportData: attested.reportData, at: now)
    let decision = judge.decide(path, under: try await policy.current(in: store), on: evidence)
    guard let grant = decision.grant else {
      throw KeyBrokerError(decision.refusal ?? .policyDenied, decision.text)
    }
    return (attested, grant)
  }

  static func trail(_ session: SessionRecord, _ path: String) -> [StrictJSON.Member] {
    [.init("session", .string(session.id)), .init("path", .string(String(path.prefix(400))))]
  }

  static func details(_ grant: ReleaseGrant) -> [StrictJSON.Member] {
    [.init("rule", .string(grant.rule)), .init("simulated", .bool(grant.simulated))]
  }

  /// What the policy in force says about releasing `path` on a saved attestation, whose nonce
  /// counts as fresh.
  public func explain(
    _ path: String, attestation: [UInt8], kind: AttesterKind, at time: VerificationTime
  ) async throws(KeyBrokerError) -> ReleaseDecision {
    let attestation = try KBSAttestation(attestation)
    let received = try ReceivedEvidence(attestation.primaryEvidence, kind: kind)
    let evidence = await judged(
      received, reportData: attestation.reportData, at: time.unixSeconds)
    return judge.decide(
      try ResourcePath(path), under: try await policy.current(in: store), on: evidence)
  }

  func attestedSession(
    _ id: String?, _ token: String?, at now: Int64
  ) async throws(KeyBrokerError) -> SessionRecord {
    var found: SessionRecord?
    if let id {
      found = try await open(id, at: now)
    } else if let token {
      found = try await open(try tokens.session(ofToken: token, at: now), at: now)
    }
    guard let session = found, session.attestation != nil, !session.tee.isMeasuredAtLaunch else {
      throw KeyBrokerError(.notAttested, "resource: neither an attested session nor a token")
    }
    return session
  }

  private func encrypt(
    _ sealed: SealedResource, for grant: ReleaseGrant, to key: TEEPublicKey
  ) throws(KeyBrokerError) -> JWE {
    var content = try keys.open(sealed, for: grant)
    defer { content.resetBytes(in: 0..<content.count) }
    return try JWE.encrypt(content, to: key)
  }
}
