import ArcaBytes
import ArcaKeyBroker
import Crypto
import Foundation
import TEEAttestation
import TEEEvidence
import Testing

/// The exchange from challenge to resource, and every way in which it is refused.
@Suite struct ExchangeTests {
  static let secret = Data("marked secret".utf8)

  @Test func anAttestedTEEGetsItsResource() async throws {
    let fixture = try await BrokerFixture()
    try await fixture.broker.setResource("default/app/key", to: Self.secret, by: "test")
    let (session, token) = try await fixture.attested()
    let jwe = try await fixture.broker.resource("default/app/key", session: session, token: nil)
    let plain = try JWE(StrictJSON(parsing: Array(jwe.utf8))).decrypt(with: fixture.key)
    #expect(plain == Self.secret)
    #expect(
      try fixture.broker.tokens.session(ofToken: token, at: fixture.clock.now) == session)
  }

  @Test func theTokenOpensItsSession() async throws {
    let fixture = try await BrokerFixture()
    try await fixture.broker.setResource("default/app/key", to: Self.secret, by: "test")
    let (_, token) = try await fixture.attested()
    let jwe = try await fixture.broker.resource("default/app/key", session: nil, token: token)
    let plain = try JWE(StrictJSON(parsing: Array(jwe.utf8))).decrypt(with: fixture.key)
    #expect(plain == Self.secret)
  }

  @Test func aForgedTokenIsRefused() async throws {
    let fixture = try await BrokerFixture()
    let (session, token) = try await fixture.attested()
    let claims = token.split(separator: ".")[1]
    let body = try #require(Base64.decode(String(claims), .url))
    let forged = try JWS.sign(StrictJSON(parsing: body), with: .es256(.init()))
    #expect(session.count == 32)
    #expect(
      await refusal {
        _ = try await fixture.broker.resource("default/app/key", session: nil, token: forged)
      } == .invalidToken)
  }

  @Test func aResourceIsReleasedOnceForANonce() async throws {
    let fixture = try await BrokerFixture()
    try await fixture.broker.setResource("default/app/key", to: Self.secret, by: "test")
    let (session, token) = try await fixture.attested()
    _ = try await fixture.broker.resource("default/app/key", session: session, token: nil)
    let broker = fixture.broker
    #expect(
      await refusal {
        _ = try await broker.resource("default/app/key", session: session, token: nil)
      }
        == .alreadyReleased)
    #expect(
      await refusal { _ = try await broker.resource("default/app/key", session: nil, token: token) }
        == .alreadyReleased)
  }

  @Test func ofManyAttemptsWithOneNonceOneCounts() async throws {
    let fixture = try await BrokerFixture()
    let challenge = try await fixture.broker.challenge(BrokerFixture.request())
    let body = try fixture.attestation(nonce: challenge.session.nonce)
    let codes = await withTaskGroup(of: KeyBrokerError.Code?.self) { group in
      for _ in 0..<8 {
        group.addTask {
          await refusal {
            _ = try await fixture.broker.attest(body, session: challenge.session.id)
          }
        }
      }
      return await group.reduce(into: [KeyBrokerError.Code?]()) { $0.append($1) }
    }
    #expect(codes.count { $0 == nil } == 1)
    #expect(codes.count { $0 == .staleNonce } == 7)
  }

  @Test func aNonceOfAnotherSessionIsStale() async throws {
    let fixture = try await BrokerFixture()
    let (first, second) = (
      try await fixture.broker.challenge(BrokerFixture.request()),
      try await fixture.broker.challenge(BrokerFixture.request())
    )
    let body = try fixture.attestation(nonce: first.session.nonce)
    #expect(
      await refusal { _ = try await fixture.broker.attest(body, session: second.session.id) }
        == .staleNonce)
  }

  @Test func replayedEvidenceIsRefused() async throws {
    let fixture = try await BrokerFixture()
    let first = try await fixture.broker.challenge(BrokerFixture.request())
    let second = try await fixture.broker.challenge(BrokerFixture.request())
    let body = try fixture.attestation(
      nonce: second.session.nonce, boundNonce: first.session.nonce)
    #expect(
      await refusal { _ = try await fixture.broker.attest(body, session: second.session.id) }
        == .evidenceRefused)
  }

  @Test func aForeignKeyIsRefused() async throws {
    let fixture = try await BrokerFixture()
    let challenge = try await fixture.broker.challenge(BrokerFixture.request())
    let foreign = BrokerFixture.jwk(P256.KeyAgreement.PrivateKey().publicKey)
    let body = try fixture.attestation(
      nonce: challenge.session.nonce, jwk: foreign, boundKey: fixture.jwk)
    #expect(
      await refusal { _ = try await fixture.broker.attest(body, session: challenge.session.id) }
        == .evidenceRefused)
  }

  @Test(arguments: [SNPPolicy(rawValue: 0xB0000)])
  func aTEEThatCanBeDebuggedIsRefused(policy: SNPPolicy) async throws {
    let fixture = try await BrokerFixture()
    let challenge = try await fixture.broker.challenge(BrokerFixture.request())
    let body = try fixture.attestation(nonce: challenge.session.nonce, policy: policy)
    #expect(policy.allowsDebug)
    #expect(
      await refusal { _ = try await fixture.broker.attest(body, session: challenge.session.id) }
        == .evidenceRefused)
  }

  @Test func aLowerPrivilegeLevelIsRefused() async throws {
    let fixture = try await BrokerFixture()
    let challenge = try await fixture.broker.challenge(BrokerFixture.request())
    let body = try fixture.attestation(nonce: challenge.session.nonce, vmpl: 1)
    #expect(
      await refusal { _ = try await fixture.broker.attest(body, session: challenge.session.id) }
        == .evidenceRefused)
  }

  @Test func simulatedEvidenceIsRefusedUnlessAllowed() async throws {
    let fixture = try await BrokerFixture(simulation: false)
    let challenge = try await fixture.broker.challenge(BrokerFixture.request())
    let body = try fixture.attestation(nonce: challenge.session.nonce)
    let code = await refusal {
      _ = try await fixture.broker.attest(body, session: challenge.session.id)
    }
    #expect(code == .simulatedRefused || code == .evidenceRefused)
    #expect(
      await refusal { _ = try await fixture.broker.challenge(BrokerFixture.request("sample")) }
        == .simulatedRefused)
  }

  @Test func anExpiredSessionIsRefused() async throws {
    let fixture = try await BrokerFixture()
    let (session, token) = try await fixture.attested()
    let challenge = try await fixture.broker.challenge(BrokerFixture.request())
    let body = try fixture.attestation(nonce: challenge.session.nonce)
    fixture.clock.advance(300)
    let broker = fixture.broker
    #expect(
      await refusal { _ = try await broker.attest(body, session: challenge.session.id) }
        == .expiredSession)
    #expect(
      await refusal {
        _ = try await broker.resource("default/app/key", session: session, token: nil)
      }
        == .expiredSession)
    #expect(
      await refusal { _ = try await broker.resource("default/app/key", session: nil, token: token) }
        == .invalidToken)
  }

  @Test func initDataMustBeWhatTheTEEWasGiven() async throws {
    let fixture = try await BrokerFixture()
    let text = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n"
    let data = StrictJSON.members(("format", .string("toml")), ("body", .string(text)))
    let digest = Array(SHA256.hash(data: Data(text.utf8)))
    for (workload, expected) in [(digest, nil), (BrokerFixture.workload, .evidenceRefused)]
      as [([UInt8], KeyBrokerError.Code?)]
    {
      let challenge = try await fixture.broker.challenge(BrokerFixture.request())
      let body = try fixture.attestation(
        nonce: challenge.session.nonce, workload: workload, initData: data)
      #expect(
        await refusal { _ = try await fixture.broker.attest(body, session: challenge.session.id) }
          == expected)
    }
  }

  @Test func tooManySessionsAreRefusedUntilSomeEnd() async throws {
    let fixture = try await BrokerFixture(limits: .init(sessionSeconds: 10, sessionsMax: 2))
    for _ in 0..<2 { _ = try await fixture.broker.challenge(BrokerFixture.request()) }
    #expect(
      await refusal { _ = try await fixture.broker.challenge(BrokerFixture.request()) }
        == .tooManySessions)
    fixture.clock.advance(10)
    _ = try await fixture.broker.challenge(BrokerFixture.request())
  }

  @Test func otherVersionsAndKindsAreRefused() async throws {
    let broker = try await BrokerFixture().broker
    #expect(
      await refusal { _ = try await broker.challenge(BrokerFixture.request(version: "0.1.1")) }
        == .unsupportedVersion)
    #expect(
      await refusal { _ = try await broker.challenge(BrokerFixture.request("cca")) }
        == .unsupportedTEE)
    #expect(await refusal { _ = try await broker.challenge([0x7B]) } == .malformed)
  }

  @Test func theAuditLogTellsMissingFromRefused() async throws {
    let fixture = try await BrokerFixture()
    try await fixture.broker.setResource("default/app/key", to: Self.secret, by: "test")
    let (session, _) = try await fixture.attested()
    let broker = fixture.broker
    #expect(
      await refusal {
        _ = try await broker.resource("default/app/none", session: session, token: nil)
      }
        == .missingResource)
    #expect(
      await refusal {
        _ = try await broker.resource("default/other/x", session: session, token: nil)
      }
        == .noRule)
    let log = try await fixture.audit()
    #expect(log.contains { $0.contains(#""outcome":"missing-resource""#) })
    #expect(log.contains { $0.contains(#""outcome":"no-rule""#) })
    #expect(!log.contains { $0.contains("marked secret") })
    #expect(try await AuditChain.verify(fixture.store).count == Int64(log.count))
  }

  @Test func strangersCannotFillTheAuditLog() async throws {
    let fixture = try await BrokerFixture()
    let before = try await fixture.audit().count
    #expect(
      await refusal {
        _ = try await fixture.broker.resource(
          "default/app/key", session: String(repeating: "0", count: 32), token: nil)
      } == .unknownSession)
    #expect(try await fixture.audit().count == before)
  }

  @Test func whatAnotherReplicaStoredIsReadWholeOrRefused() async throws {
    let fixture = try await BrokerFixture()
    try await fixture.broker.setResource("default/app/key", to: Self.secret, by: "test")
    let (first, _) = try await fixture.attested()
    let record = try #require(try await fixture.store.session(first)?.attestation)
    // The broker itself has attested none of the sessions below, so it reads them from the store.
    func resource(_ record: [UInt8]) async throws -> String {
      let id = try await fixture.broker.challenge(BrokerFixture.request()).session.id
      _ = try await fixture.store.attest(
        session: id, with: record, audit: AuditEvent(.attest, at: 1, []))
      return try await fixture.broker.resource("default/app/key", session: id, token: nil)
    }
    let jwe = try JWE(StrictJSON(parsing: Array(try await resource(record).utf8)))
    #expect(try jwe.decrypt(with: fixture.key) == Self.secret)
    for count in [0, 1, 40, record.count / 2, record.count - 1] {
      #expect(
        await refusal { _ = try await resource(Array(record.prefix(count))) } == .corrupted)
    }
    #expect(await refusal { _ = try await resource(record + [0]) } == .corrupted)
  }
}
