import ArcaBytes
import ArcaKeyBroker
import Foundation
import Testing

/// Generation counters: who may use them, what an answer holds, and that they never go back.
@Suite struct CounterTests {
  static let nonce = "AAECAwQFBgcICQoLDA0ODw"
  static let path = "default/app/volume"

  private static func call(
    _ fixture: BrokerFixture, _ session: String, _ query: String, advances: Bool
  ) async throws -> StrictJSON {
    let jwe = try await fixture.broker.counter(
      path, query: query, advances: advances, session: session, token: nil)
    return try StrictJSON(
      parsing: Array(JWE(StrictJSON(parsing: Array(jwe.utf8))).decrypt(with: fixture.key)))
  }

  @Test func aCounterStartsAtZeroAndAdvancesOnce() async throws {
    let fixture = try await BrokerFixture()
    let (session, _) = try await fixture.attested()
    let first = try await Self.call(fixture, session, "nonce=\(Self.nonce)", advances: false)
    #expect(first.compact == #"{"generation":0,"nonce":"\#(Self.nonce)"}"#)
    let query = "expected=0&nonce=\(Self.nonce)&next=5"
    #expect(
      try await Self.call(fixture, session, query, advances: true)["generation"] == .number(5))
    #expect(
      await refusal { _ = try await Self.call(fixture, session, query, advances: true) }
        == .counterConflict)
    let after = try await Self.call(fixture, session, "nonce=\(Self.nonce)", advances: false)
    #expect(after["generation"] == .number(5))
    let log = try await fixture.audit().filter { $0.contains(#""action":"counter""#) }
    #expect(log.count == 2)
    #expect(log[0].contains(#""outcome":"ok""#) && log[0].contains(#""from":0,"to":5"#))
    #expect(log[1].contains(#""outcome":"counter-conflict""#))
  }

  @Test func whoMayNotHaveTheResourceMayNotUseItsCounter() async throws {
    let fixture = try await BrokerFixture()
    let (session, _) = try await fixture.attested()
    let broker = fixture.broker
    for (path, session, code) in [
      ("default/other/volume", session, .noRule), ("default/app", session, .invalidPath),
      (Self.path, String(repeating: "0", count: 32), .unknownSession),
    ] as [(String, String, KeyBrokerError.Code)] {
      for (query, advances) in [("", false), ("&expected=0&next=1", true)] {
        #expect(
          await refusal {
            _ = try await broker.counter(
              path, query: "nonce=\(Self.nonce)" + query, advances: advances, session: session,
              token: nil)
          } == code)
      }
    }
    let challenge = try await broker.challenge(BrokerFixture.request())
    #expect(
      await refusal {
        _ = try await broker.counter(
          Self.path, query: "nonce=\(Self.nonce)", advances: false,
          session: challenge.session.id, token: nil)
      } == .notAttested)
  }

  @Test(arguments: [
    "", "nonce=", "nonce=short", "nonce=AAECAwQFBgcICQoLDA0OD!", "nonce=\(nonce)&nonce=\(nonce)",
    "nonce=\(nonce)&expected=0", "nonce=\(nonce)&expected=0&next=0",
    "nonce=\(nonce)&expected=2&next=1", "nonce=\(nonce)&expected=00&next=1",
    "nonce=\(nonce)&expected=+0&next=1", "nonce=\(nonce)&expected=0&next=9223372036854775808",
    "nonce=\(nonce)&expected=0&next=1&other=1", "nonce=\(nonce)&expected=0&next=1&",
  ])
  func aMalformedQueryIsRefused(query: String) async throws {
    #expect(
      await refusal { _ = try CounterRequest(query: query, advances: true) } == .malformed)
    let bound = "expected=0&nonce=\(Self.nonce)&next=9223372036854775807"
    #expect(try CounterRequest(query: bound, advances: true).advance?.next == UInt64(Int64.max))
    #expect(await refusal { _ = try CounterRequest(query: bound, advances: false) } == .malformed)
  }

  @Test func anAdministratorRemovesACounter() async throws {
    let fixture = try await BrokerFixture()
    let (session, _) = try await fixture.attested()
    _ = try await Self.call(
      fixture, session, "nonce=\(Self.nonce)&expected=0&next=1", advances: true)
    #expect(try await fixture.broker.listCounters().map(\.generation) == [1])
    #expect(try await fixture.broker.removeCounter(Self.path, by: "test"))
    #expect(try await !fixture.broker.removeCounter(Self.path, by: "test"))
    #expect(try await fixture.broker.listCounters().isEmpty)
  }
}
