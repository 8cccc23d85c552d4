import ArcaBytes
import Foundation
import TEEAttestation

// The broker as the owner of SEV-ES and SEV guests. Nobody inside asks: before the launch the host
// takes a session with the platform, after it what the platform measured is judged by the policy,
// and the secrets go to the security processor, which alone can open them. The host carries all of
// it and is trusted with none.
extension KeyBroker {
  /// Agrees on keys with the platform whose certificates are in `body`: the session's name, and
  /// what LAUNCH_START takes.
  public func openLaunch(_ body: [UInt8]) async throws(KeyBrokerError) -> StrictJSON {
    let request = try LaunchSessionRequest(body)
    let owner: SEVSession
    do {
      let chain = try SEVChain(request.chain, roots: judge.verifier.anchors.sevRoots)
      owner = try SEVSession(with: chain, policy: request.policy)
    } catch {
      throw KeyBrokerError(
        error.code == .malformed ? .malformed : .evidenceRefused, error.detail)
    }
    let now = clock()
    let id = Hex.encode(Self.random(16))
    let keys = StrictJSON.members(
      ("encryptionKey", .string(Hex.encode(owner.encryptionKey))),
      ("integrityKey", .string(Hex.encode(owner.integrityKey))),
      ("policy", .number(UInt64(owner.policy))),
      ("chain", .string(Base64.encode(request.chain, .standard))))
    let session = SessionRecord(
      id: id, nonce: try self.keys.sealLaunch(keys, session: id), tee: request.tee,
      expires: now + limits.sessionSeconds)
    try await store.open(session, limit: limits.sessionsMax, now: now)
    return .members(
      ("session", .string(id)), ("dh-cert", .string(Base64.encode(owner.certificate, .standard))),
      ("launch-blob", .string(Base64.encode(owner.blob, .standard))),
      ("expires", .number(UInt64(max(0, session.expires)))))
  }

  /// Judges the launch that `body` states, and packs the resources that it names for the platform.
  ///
  /// A session has one attempt, as an attestation has. Every resource is released, or none is.
  public func launchSecret(_ body: [UInt8]) async throws(KeyBrokerError) -> StrictJSON {
    let now = clock()
    let request = try LaunchSecretRequest(body)
    let session = try await open(request.session, at: now)
    guard session.tee.isMeasuredAtLaunch else {
      throw KeyBrokerError(.unknownSession, "sev secret: the session is of another protocol")
    }
    let (owner, evidence) = try await attest(request, session, at: now)
    var entries: [(path: String, content: [UInt8])] = []
    var grants: [(path: ResourcePath, trail: [StrictJSON.Member])] = []
    for name in request.resources {
      let (grant, content) = try await grant(name, session, evidence, at: now)
      entries.append((grant.path.description, Array(content)))
      grants.append((grant.path, Self.trail(session, name) + Self.details(grant)))
    }
    let packet = try await pack(entries, for: owner, request, session, at: now)
    for (path, trail) in grants {
      let event = AuditEvent(.release, at: now, trail)
      guard try await store.release(path, toSession: session.id, audit: event) else {
        throw KeyBrokerError(.alreadyReleased, "\(path): was released to this session before")
      }
    }
    return packet
  }

  /// Verifies what the host states, and takes the session's one attempt whatever comes of it.
  private func attest(
    _ request: LaunchSecretRequest, _ session: SessionRecord, at now: Int64
  ) async throws(KeyBrokerError) -> (SEVSession, AttestedEvidence) {
    let used = KeyBrokerError(.staleNonce, "sev secret: the session was used before")
    var trail: [StrictJSON.Member] = [
      .init("session", .string(session.id)), .init("tee", .string(session.tee.rawValue)),
    ]
    do throws(KeyBrokerError) {
      guard !session.isNonceTaken else { throw used }
      let (owner, chain) = try launch(of: session)
      let document = try Self.evidence(request, session, chain)
      let evidence = AttestedEvidence(
        received: .tee(document), reportData: [], endorsements: Endorsements(session: owner),
        time: VerificationTime(unixSeconds: now))
      let verdict = judge.verdict(on: evidence, document)
      guard let claims = verdict.accepted?.verified.claims else {
        throw KeyBrokerError(
          .evidenceRefused,
          "\(verdict.kind.rawValue): " + verdict.reasonTexts.joined(separator: "; "))
      }
      trail += [
        .init("simulated", .bool(verdict.simulated)),
        .init("status", .string(verdict.kind.rawValue)),
        .init("measurement", .string(Hex.encode(claims.measurement))),
        .init("chip_id", .string(Hex.encode(claims.chipID))),
        .init(
          "tcb",
          .string(claims.tcb.components.map { "\($0.name) \($0.version)" }.joined(separator: ", "))
        ),
      ]
      guard
        try await store.attest(
          session: session.id, with: claims.measurement, audit: AuditEvent(.attest, at: now, trail))
      else { throw used }
      return (owner, evidence)
    } catch {
      trail.append(.init("reasons", .string(error.detail)))
      try await store.refuse(
        session: session.id, audit: AuditEvent(.attest, refusal: error.code, at: now, trail))
      throw error
    }
  }

  private func launch(
    of session: SessionRecord
  ) throws(KeyBrokerError) -> (owner: SEVSession, chain: [UInt8]) {
    let json = try keys.openLaunch(session.nonce, session: session.id)
    func bytes(_ name: String) -> [UInt8] { json[name]?.text.flatMap(Hex.decode) ?? [] }
    guard let policy = json["policy"]?.whole.flatMap({ UInt32(exactly: $0) }),
      let chain = json["chain"]?.text.flatMap({ Base64.decode($0, .standard) }),
      let owner = try? SEVSession(
        encryptionKey: bytes("encryptionKey"), integrityKey: bytes("integrityKey"), policy: policy)
    else {
      throw KeyBrokerError(.corrupted, "session \(session.id): its keys are not in their form")
    }
    return (owner, chain)
  }

  private static func evidence(
    _ request: LaunchSecretRequest, _ session: SessionRecord, _ chain: [UInt8]
  ) throws(KeyBrokerError) -> Evidence {
    do {
      let launch = try SEVLaunchEvidence(
        policy: request.policy, api: request.api, digest: request.digest,
        blob: request.measurement, chain: chain)
      return Evidence(kind: session.tee == .sevES ? .sevES : .sev, document: launch.document)
    } catch {
      throw KeyBrokerError(.malformed, error.detail)
    }
  }

  /// What the policy in force grants at `name`, and its content; a refusal is recorded.
  private func grant(
    _ name: String, _ session: SessionRecord, _ evidence: AttestedEvidence, at now: Int64
  ) async throws(KeyBrokerError) -> (ReleaseGrant, Data) {
    do throws(KeyBrokerError) {
      let path = try ResourcePath(name)
      let decision = judge.decide(path, under: try await policy.current(in: store), on: evidence)
      guard let grant = decision.grant else {
        throw KeyBrokerError(decision.refusal ?? .policyDenied, decision.text)
      }
      guard let sealed = try await store.resource(path) else {
        throw KeyBrokerError(.missingResource, "\(path): no such resource")
      }
      return (grant, try keys.open(sealed, for: grant))
    } catch {
      try await record(error, Self.trail(session, name), at: now)
      throw error
    }
  }

  private func record(
    _ error: KeyBrokerError, _ trail: [StrictJSON.Member], at now: Int64
  ) async throws(KeyBrokerError) {
    try await store.append(
      AuditEvent(
        .release, refusal: error.code, at: now,
        trail + [.init("reasons", .string(error.detail))]))
  }

  private func pack(
    _ entries: [(path: String, content: [UInt8])], for owner: SEVSession,
    _ request: LaunchSecretRequest, _ session: SessionRecord, at now: Int64
  ) async throws(KeyBrokerError) -> StrictJSON {
    do throws(KeyBrokerError) {
      let table = SEVSecretTable.encoded([SEVSecretTable.entry(ofResources: entries)])
      guard table.count <= SEVSecretTable.bytesMax else {
        throw KeyBrokerError(
          .tooLarge,
          "sev secret: \(table.count) bytes of secrets; the guest's firmware has room for "
            + "\(SEVSecretTable.bytesMax)")
      }
      do {
        let packet = try owner.secret(table, measurement: Array(request.measurement[..<32]))
        return .members(
          ("header", .string(Base64.encode(packet.header, .standard))),
          ("secret", .string(Base64.encode(packet.ciphertext, .standard))))
      } catch {
        throw KeyBrokerError(.corrupted, error.detail)
      }
    } catch {
      let paths = entries.map(\.path).joined(separator: " ")
      try await record(error, Self.trail(session, paths), at: now)
      throw error
    }
  }
}
