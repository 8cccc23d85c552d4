import ArcaBytes
import ArcaKeyBroker
import Foundation
import TEEAttestation
import TEEEvidence
import Testing

/// The exchange with quotes of a simulated Intel.
@Suite struct QuoteExchangeTests {
  static let enclave = [UInt8](repeating: 0x4D, count: 32)
  static let domain = [UInt8](repeating: 0x4E, count: 48)

  /// A policy with one rule that names what the quote of `tee` states.
  static func policy(_ tee: TEEKind, _ measurement: [UInt8]) -> String {
    let registers = tee == .tdx ? ", rtmrs: [any, any, any, any]" : ""
    return BrokerFixture.policy(
      platforms: "[{measurement: \(Hex.encode(measurement))\(registers)}]", tees: "[\(tee)]")
  }

  /// The outcome for a quote of `tee`: nil where the resource was released.
  static func outcome(
    _ tee: TEEKind, changed: Bool = false, endorsed: Bool = true
  ) async throws -> KeyBrokerError.Code? {
    let time = VerificationTime(unixSeconds: TestClock().now - 86_400)
    let intel = try SimulatedIntel.create(at: time)
    let header: QuoteHeader.TEE = tee == .sgx ? .sgx : .tdx
    let fixture = try await BrokerFixture(
      policy: policy(tee, tee == .sgx ? enclave : domain), roots: [intel.root],
      endorsements: endorsed
        ? Endorsements(intel: try intel.endorsements(for: header, at: time)) : Endorsements())
    try await fixture.broker.setResource("default/app/key", to: Data("x".utf8), by: "test")
    let challenge = try await fixture.broker.challenge(BrokerFixture.request(tee.rawValue))
    let nonce = challenge.session.nonce
    let digest = KBSAttestation.reportData(nonce: nonce, key: try TEEPublicKey(fixture.jwk))
    let quote = try intel.quote(
      body(tee, digest, changed: changed), version: tee == .sgx ? 3 : 4)
    let message = StrictJSON.members(
      ("runtime-data", .members(("nonce", .string(nonce)), ("tee-pubkey", fixture.jwk))),
      (
        "tee-evidence",
        .members(
          (
            "primary_evidence",
            .members(
              ("cc_eventlog", .null), ("quote", .string(Base64.encode(quote, .standard))))
          ), ("additional_evidence", .string("")))
      ))
    return await refusal {
      _ = try await fixture.broker.attest(
        Array(message.compact.utf8), session: challenge.session.id)
      _ = try await fixture.broker.resource(
        "default/app/key", session: challenge.session.id, token: nil)
    }
  }

  private static func body(_ tee: TEEKind, _ digest: [UInt8], changed: Bool) -> Quote.Body {
    let data = digest + [UInt8](repeating: 0, count: 16)
    if tee == .sgx {
      var report = EnclaveReport()
      report.mrEnclave = enclave
      report.attributes[0] = 0x05
      report.configID =
        BrokerFixture.workload + [UInt8](repeating: changed ? 1 : 0, count: 32)
      report.reportData = data
      return .sgx(report)
    }
    var report = TDReport(is15: false)
    report.teeTCBSVN = SimulatedIntelPlatform().teeTCBSVN
    report.tdAttributes[3] = 0x10
    report.mrTD = domain
    report.mrConfigID = BrokerFixture.workload + [UInt8](repeating: changed ? 1 : 0, count: 16)
    report.reportData = data
    return .tdx(report)
  }

  @Test(arguments: [TEEKind.sgx, .tdx])
  func aQuoteGetsItsResource(tee: TEEKind) async throws {
    #expect(try await Self.outcome(tee) == nil)
  }

  @Test(arguments: [TEEKind.sgx, .tdx])
  func anotherWorkloadIsRefused(tee: TEEKind) async throws {
    #expect(try await Self.outcome(tee, changed: true) == .policyDenied)
  }

  @Test(arguments: [TEEKind.sgx, .tdx])
  func withoutCollateralNothingIsReleased(tee: TEEKind) async throws {
    #expect(try await Self.outcome(tee, endorsed: false) == .evidenceRefused)
  }
}
