import ArcaBytes
import Crypto
import Foundation
import TEEAttestation

/// The key broker: sessions, attestation and the release of resources, without any transport.
public final class KeyBroker: Sendable {
  /// Bounds of what the broker takes on.
  public struct Limits: Sendable {
    /// How long a session and its token last, in seconds.
    public var sessionSeconds: Int64
    /// Sessions open at one time.
    public var sessionsMax: Int
    /// Bytes of a resource.
    public var resourceBytesMax: Int

    /// The default bounds: five minutes, 65,536 sessions, 1 MiB.
    public init(
      sessionSeconds: Int64 = 300, sessionsMax: Int = 65_536, resourceBytesMax: Int = 1 << 20
    ) {
      self.sessionSeconds = sessionSeconds
      self.sessionsMax = sessionsMax
      self.resourceBytesMax = resourceBytesMax
    }
  }

  /// A new session and the challenge to answer it with.
  public struct Challenge: Sendable {
    /// The session, for the cookie.
    public let session: SessionRecord
    /// The message.
    public var json: String {
      StrictJSON.members(("nonce", .string(session.nonce)), ("extra-params", .string(""))).compact
    }
  }

  /// Counters.
  public let metrics = BrokerMetrics()
  /// The bounds.
  public let limits: Limits
  /// The tokens' issuer.
  public let tokens: TokenIssuer
  let policy = PolicySource()
  let memory = AttestedMemory()
  let store: any KeyBrokerStore
  let keys: MasterKeys
  let judge: EvidenceJudge
  let endorsements: any EndorsementSource
  let clock: @Sendable () -> Int64

  /// Puts a broker together; `clock` gives seconds since 1970.
  public init(
    store: any KeyBrokerStore, keys: MasterKeys, judge: EvidenceJudge,
    tokens: TokenIssuer, endorsements: any EndorsementSource, limits: Limits = Limits(),
    clock: @escaping @Sendable () -> Int64
  ) {
    self.store = store
    self.keys = keys
    self.judge = judge
    self.tokens = tokens
    self.endorsements = endorsements
    self.limits = limits
    self.clock = clock
  }

  /// Opens a session for the attester whose request is `body`.
  public func challenge(_ body: [UInt8]) async throws(KeyBrokerError) -> Challenge {
    let request = try KBSRequest(body)
    guard request.tee != .sample || judge.dangerouslyAcceptsSimulatedEvidence else {
      throw KeyBrokerError(.simulatedRefused, "auth: sample evidence is not accepted here")
    }
    let now = clock()
    let session = SessionRecord(
      id: Hex.encode(Self.random(16)), nonce: Base64.encode(Self.random(32), .standard),
      tee: request.tee, expires: now + limits.sessionSeconds)
    try await store.open(session, limit: limits.sessionsMax, now: now)
    return Challenge(session: session)
  }

  /// Verifies the evidence in `body` and returns the session's token.
  ///
  /// A session has one attempt: whatever comes of it takes the nonce, in the transaction that
  /// records it. Of attempts at one moment the first to be recorded counts, and the others are
  /// refused whatever their evidence.
  public func attest(
    _ body: [UInt8], session id: String?
  ) async throws(KeyBrokerError) -> (token: String, session: SessionRecord) {
    let now = clock()
    let session = try await open(id, at: now)
    let used = KeyBrokerError(.staleNonce, "attest: the session's nonce was used before")
    do throws(KeyBrokerError) {
      guard !session.isNonceTaken else { throw used }
      let attested = try await verify(body, session, at: now)
      let token = try tokens.token(for: attested, session: session, at: now)
      let record = attested.encoded()
      guard
        try await store.attest(
          session: session.id, with: record,
          audit: AuditEvent(.attest, at: now, Self.details(session, attested)))
      else { throw used }
      memory.remember(attested, as: record, ofSession: session.id)
      return (token, session)
    } catch {
      try await store.refuse(
        session: session.id,
        audit: AuditEvent(
          .attest, refusal: error.code, at: now,
          [
            .init("session", .string(session.id)), .init("tee", .string(session.tee.rawValue)),
            .init("reasons", .string(error.detail)),
          ]))
      throw error
    }
  }

  private func verify(
    _ body: [UInt8], _ session: SessionRecord, at now: Int64
  ) async throws(KeyBrokerError) -> Attested {
    let attestation = try KBSAttestation(body)
    guard attestation.nonce == session.nonce else {
      throw KeyBrokerError(.staleNonce, "attest: the nonce is not this session's")
    }
    let received = try ReceivedEvidence(attestation.primaryEvidence, kind: session.tee)
    let evidence = await judged(received, reportData: attestation.reportData, at: now)
    switch received {
    case .sample(let data):
      guard data == attestation.reportData else {
        throw KeyBrokerError(.evidenceRefused, "report_data: not the bound value")
      }
      return Attested(received, attestation, claims: nil, status: .valid, simulated: true)
    case .tee(let document):
      let verdict = judge.verdict(on: evidence, document)
      guard let accepted = verdict.accepted else {
        throw KeyBrokerError(
          verdict.simulated && !judge.dangerouslyAcceptsSimulatedEvidence
            ? .simulatedRefused : .evidenceRefused,
          "\(verdict.kind.rawValue): " + verdict.reasonTexts.joined(separator: "; "))
      }
      try check(attestation, against: accepted.verified.claims)
      return Attested(
        received, attestation, claims: accepted.verified.claims, status: verdict.kind,
        simulated: accepted.verified.simulated)
    }
  }

  private func check(
    _ attestation: KBSAttestation, against claims: Claims
  ) throws(KeyBrokerError) {
    guard let digest = try attestation.initDataDigest() else { return }
    let width = claims.hostData.count
    let fitted = Array((digest + [UInt8](repeating: 0, count: width)).prefix(width))
    guard fitted == claims.hostData else {
      throw KeyBrokerError(.evidenceRefused, "init-data: its digest is not what the TEE was given")
    }
  }

  func judged(
    _ received: ReceivedEvidence, reportData: [UInt8], at now: Int64
  ) async -> AttestedEvidence {
    var known = Endorsements()
    if case .tee(let document) = received {
      known = await endorsements.endorsements(for: document)
    }
    return AttestedEvidence(
      received: received, reportData: reportData, endorsements: known,
      time: VerificationTime(unixSeconds: now))
  }

  func open(_ id: String?, at now: Int64) async throws(KeyBrokerError) -> SessionRecord {
    guard let id, id.utf8.count == 32, let session = try await store.session(id) else {
      throw KeyBrokerError(.unknownSession, "no such session; start with auth")
    }
    guard now < session.expires else {
      throw KeyBrokerError(.expiredSession, "the session is over; start with auth")
    }
    return session
  }

  /// Fetches anew what has become stale of the vendors' documents; to be called now and then.
  public func refreshEndorsements() async { await endorsements.refresh() }

  private static func details(
    _ session: SessionRecord, _ attested: Attested
  ) -> [StrictJSON.Member] {
    [
      .init("session", .string(session.id)), .init("tee", .string(session.tee.rawValue)),
      .init("simulated", .bool(attested.simulated)),
      .init("key", .string(Hex.encode(attested.key.digest))),
      .init("status", .string(attested.status)),
      .init("measurement", attested.claims["measurement"] ?? .null),
      .init("host_data", attested.claims["host_data"] ?? .null),
      .init("chip_id", attested.claims["chip_id"] ?? .null),
      .init("tcb", .string(attested.tcbText)),
    ]
  }

  static func random(_ count: Int) -> [UInt8] {
    SymmetricKey(size: .init(bitCount: count * 8)).octets
  }
}
