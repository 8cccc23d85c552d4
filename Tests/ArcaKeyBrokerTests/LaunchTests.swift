import ArcaBytes
import ArcaKeyBroker
import Crypto
import Foundation
import TEEAttestation
import TEEEvidence
import Testing

/// A platform without silicon, and a broker that trusts its root as a simulated one.
private struct LaunchScene: @unchecked Sendable {
  static let booted = Array("firmware and kernel hashes".utf8)
  static let digest = Array(SHA256.hash(data: booted))
  static let key = "default/app/key"
  /// Certificates take RSA primes, so all tests share a platform's; each has a platform of its own.
  static let shared = Result { try Certified() }

  struct Certified: @unchecked Sendable {
    let platform = SimulatedSEVPlatform()
    let chain: [UInt8]
    var root: [UInt8] { Array(chain.suffix(64 + 3 * 256)) }

    init() throws { chain = try platform.chain().bytes }
  }

  let fixture: BrokerFixture
  let platform: SimulatedSEVPlatform
  let chain: [UInt8]

  init(
    policy: String = policy(), trustsRoot: Bool = true, limits: KeyBroker.Limits = .init()
  ) async throws {
    let certified = try Self.shared.get()
    platform = certified.platform.another()
    chain = certified.chain
    fixture = try await BrokerFixture(
      policy: policy, limits: limits, roots: trustsRoot ? [certified.root] : [])
    try await fixture.broker.setResource(Self.key, to: Data("secret 1".utf8), by: "test")
    try await fixture.broker.setResource("default/app/b", to: Data("secret 2".utf8), by: "test")
  }

  static func policy(
    digest: [UInt8] = digest, bound: [UInt8] = BrokerFixture.workload, tees: String = "[sev-es]",
    extra: String = "dangerouslyAcceptSimulatedEvidence: true"
  ) -> String {
    BrokerFixture.policy(
      platforms: "[{measurement: \(Hex.encode(digest)), workload: \(Hex.encode(bound))}]",
      tees: tees, extra: extra)
  }

  func open(
    tee: String = "sev-es", policy: UInt32 = 0x0f, chain: [UInt8]? = nil
  ) async throws -> StrictJSON {
    try await fixture.broker.openLaunch(
      Array(
        StrictJSON.members(
          ("tee", .string(tee)), ("policy", .number(UInt64(policy))),
          ("chain", .string(Base64.encode(chain ?? self.chain, .standard)))
        ).compact.utf8))
  }

  /// Has the platform launch `booted` in the session that `offer` gives; its measurement.
  func launch(
    _ offer: StrictJSON, policy: UInt32 = 0x0f, booted: [UInt8] = booted,
    on other: SimulatedSEVPlatform? = nil
  ) throws -> [UInt8] {
    let platform = other ?? platform
    try platform.start(
      policy: policy, certificate: try Self.bytes(offer, "dh-cert"),
      session: try Self.bytes(offer, "launch-blob"))
    try platform.update(booted)
    return try platform.measure()
  }

  func ask(
    _ offer: StrictJSON, _ measurement: [UInt8], digest: [UInt8] = digest, policy: UInt32 = 0x0f,
    api: [UInt64] = [1, 55, 21], resources: [String] = [key]
  ) async throws -> StrictJSON {
    try await fixture.broker.launchSecret(
      Array(
        StrictJSON.members(
          ("session", offer["session"] ?? .null), ("policy", .number(UInt64(policy))),
          ("api", .array(api.map { .number($0) })),
          ("measurement", .string(Base64.encode(measurement, .standard))),
          ("launch-digest", .string(Hex.encode(digest))),
          ("resources", .array(resources.map { .string($0) }))
        ).compact.utf8))
  }

  static func bytes(_ json: StrictJSON, _ name: String) throws -> [UInt8] {
    try #require(json[name]?.text.flatMap { Base64.decode($0, .standard) })
  }

  /// The content of each entry by its GUID, as the kernel's efi_secret takes the table apart.
  static func files(_ table: [UInt8]) throws -> [[UInt8]: [UInt8]] {
    func length(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(table[at + $1]) << (8 * $1) } }
    #expect(Array(table[..<16]) == SEVSecretTable.guid("1e74f542-71dd-4d66-963e-ef4287ff173b"))
    var (files, at) = ([[UInt8]: [UInt8]](), 20)
    while at < length(16) {
      files[Array(table[at..<at + 16])] = Array(table[at + 20..<at + length(at + 16)])
      at += length(at + 16)
    }
    return files
  }
}

/// The broker as the owner of a guest that is measured before it runs.
@Suite struct LaunchTests {
  @Test("From the session to the guest's own reading of what the processor wrote")
  func life() async throws {
    let scene = try await LaunchScene()
    let offer = try await scene.open()
    let measured = try scene.launch(offer)
    let packet = try await scene.ask(
      offer, measured, resources: [LaunchScene.key, "default/app/b"])
    try scene.platform.secret(
      header: try LaunchScene.bytes(packet, "header"),
      ciphertext: try LaunchScene.bytes(packet, "secret"))
    let files = try LaunchScene.files(scene.platform.injected)
    #expect(files.count == 1)
    let guid = try #require(SEVSecretTable.guid(LaunchSecrets.guid))
    let secrets = try LaunchSecrets(decoding: try #require(files[guid]))
    #expect(secrets[Array(LaunchScene.key.utf8)] == Array("secret 1".utf8))
    #expect(secrets[Array("default/app/b".utf8)] == Array("secret 2".utf8))
    #expect(secrets[Array("default/app/c".utf8)] == nil)
    try scene.platform.finish()
    let log = try await scene.fixture.audit()
    #expect(log.count { $0.contains(#""action":"attest","outcome":"ok""#) } == 1)
    #expect(log.count { $0.contains(#""action":"release","outcome":"ok""#) } == 2)
    let attested = try #require(log.first { $0.contains(#""action":"attest""#) })
    for part in [#""simulated":true"#, Hex.encode(LaunchScene.digest), "build 21"] {
      #expect(attested.contains(part), "\(part)")
    }
  }

  /// What the host says is wrong in one part; the platform measured what it should.
  @Test(
    arguments: [
      ("policy", KeyBrokerError.Code.evidenceRefused), ("api", .evidenceRefused),
      ("build", .evidenceRefused), ("measurement", .evidenceRefused), ("nonce", .evidenceRefused),
      ("digest", .evidenceRefused), ("short", .malformed), ("no resources", .malformed),
      ("twice", .malformed), ("unnamed", .noRule), ("missing", .missingResource),
      ("no path", .invalidPath), ("one unnamed", .noRule), ("session", .unknownSession),
    ])
  func wrongField(part: String, code: KeyBrokerError.Code) async throws {
    let scene = try await LaunchScene()
    var offer = try await scene.open()
    var measured = try scene.launch(offer)
    var (digest, policy, api) = (
      LaunchScene.digest, UInt32(0x0f), [UInt64](arrayLiteral: 1, 55, 21)
    )
    var resources = [LaunchScene.key]
    switch part {
    case "policy": policy = 0x1f
    case "api": api[1] = 54
    case "build": api[2] = 22
    case "measurement": measured[0] ^= 1
    case "nonce": measured[47] ^= 1
    case "digest": digest[31] ^= 1
    case "short": measured.removeLast()
    case "no resources": resources = []
    case "twice": resources += resources
    case "unnamed": resources = ["other/app/key"]
    case "missing": resources = ["default/app/none"]
    case "no path": resources = ["default/app"]
    case "one unnamed": resources.append("other/app/key")
    default: offer = .members(("session", .string(String(repeating: "0", count: 32))))
    }
    let found = await refusal {
      _ = try await scene.ask(
        offer, measured, digest: digest, policy: policy, api: api, resources: resources)
    }
    #expect(found == code)
    let log = try await scene.fixture.audit()
    #expect(!log.contains { $0.contains(#""action":"release","outcome":"ok""#) })
    // What names no session, or nothing at all, is in the broker's own log and counters alone.
    if ![.malformed, .unknownSession].contains(code) {
      #expect(log.contains { $0.contains("\"outcome\":\"\(code.rawValue)\"") })
    }
  }

  @Test("Another launch than the policy names gets nothing, whatever the host says of it")
  func otherLaunch() async throws {
    let scene = try await LaunchScene()
    let other = Array("something else".utf8)
    for digest in [LaunchScene.digest, Array(SHA256.hash(data: other))] {
      let offer = try await scene.open()
      let platform = scene.platform.another()
      let measured = try scene.launch(offer, booted: other, on: platform)
      let found = await refusal { _ = try await scene.ask(offer, measured, digest: digest) }
      #expect(found == (digest == LaunchScene.digest ? .evidenceRefused : .policyDenied))
    }
  }

  @Test("A session is good for one attempt, for one launch, and for five minutes")
  func once() async throws {
    let scene = try await LaunchScene()
    let offer = try await scene.open()
    let measured = try scene.launch(offer)
    _ = try await scene.ask(offer, measured)
    #expect(await refusal { _ = try await scene.ask(offer, measured) } == .staleNonce)
    // One that failed is used as well.
    let second = try await scene.open()
    #expect(await refusal { _ = try await scene.ask(second, measured) } == .evidenceRefused)
    let right = try scene.launch(second, on: scene.platform.another())
    #expect(await refusal { _ = try await scene.ask(second, right) } == .staleNonce)
    let third = try await scene.open()
    let late = try scene.launch(third, on: scene.platform.another())
    scene.fixture.clock.advance(300)
    #expect(await refusal { _ = try await scene.ask(third, late) } == .expiredSession)
  }

  @Test("Of attempts at one moment one counts")
  func atOnce() async throws {
    let scene = try await LaunchScene()
    let offer = try await scene.open()
    let measured = try scene.launch(offer)
    let codes = await withTaskGroup(of: KeyBrokerError.Code?.self) { group in
      for _ in 0..<8 {
        group.addTask { await refusal { _ = try await scene.ask(offer, measured) } }
      }
      return await group.reduce(into: [KeyBrokerError.Code?]()) { $0.append($1) }
    }
    #expect(codes.count { $0 == nil } == 1)
    #expect(codes.count { $0 == .staleNonce } == 7)
  }

  @Test("Another chip cannot use the session, and its measurement is none of the session's")
  func otherChip() async throws {
    let scene = try await LaunchScene()
    let offer = try await scene.open()
    let foreign = SimulatedSEVPlatform()
    #expect(throws: SimulatedSEVPlatform.Refusal.badMeasurement) {
      _ = try scene.launch(offer, on: foreign)
    }
    // The host agrees on a session of its own with the right chip, and shows what that measured.
    let own = try SEVSession(
      with: try SEVChain(
        scene.chain, roots: [("own", Array(SHA256.hash(data: try LaunchScene.shared.get().root)))]),
      policy: 0x0f)
    try scene.platform.start(policy: 0x0f, certificate: own.certificate, session: own.blob)
    try scene.platform.update(LaunchScene.booted)
    let measured = try scene.platform.measure()
    #expect(await refusal { _ = try await scene.ask(offer, measured) } == .evidenceRefused)
  }

  @Test("The platform refuses another policy than the session's")
  func otherPolicy() async throws {
    let scene = try await LaunchScene()
    let offer = try await scene.open()
    #expect(throws: SimulatedSEVPlatform.Refusal.policyFailure) {
      _ = try scene.launch(offer, policy: 0x0e)
    }
  }

  /// Bit 0 keeps debuggers out, 1 guests of the same key; 2 demands SEV-ES, 3 forbids to send.
  @Test(arguments: [
    ("sev-es", UInt32(0x0e), KeyBrokerError.Code.evidenceRefused),
    ("sev-es", 0x0d, .evidenceRefused), ("sev-es", 0x0b, .evidenceRefused),
    ("sev", 0x0f, .evidenceRefused), ("sev-es", 0x07, .policyDenied), ("sev", 0x0b, nil),
  ])
  func weakPolicy(tee: String, policy: UInt32, code: KeyBrokerError.Code?) async throws {
    let scene = try await LaunchScene(policy: LaunchScene.policy(tees: "[sev-es, sev]"))
    let offer = try await scene.open(tee: tee, policy: policy)
    let measured = try scene.launch(offer, policy: policy)
    #expect(await refusal { _ = try await scene.ask(offer, measured, policy: policy) } == code)
  }

  @Test("The rules are those of every TEE")
  func rules() async throws {
    let other = [UInt8](repeating: 1, count: 32)
    for (name, policy) in [
      ("platform", LaunchScene.policy(digest: other)),
      ("workload", LaunchScene.policy(bound: other)),
      ("tee", LaunchScene.policy(tees: "[snp, sev]")), ("simulated", LaunchScene.policy(extra: "")),
      (
        "build",
        LaunchScene.policy(
          extra: "minimumTCB: {build: 22}\n    dangerouslyAcceptSimulatedEvidence: true")
      ),
    ] {
      let scene = try await LaunchScene(policy: policy)
      let offer = try await scene.open()
      let measured = try scene.launch(offer)
      #expect(
        await refusal { _ = try await scene.ask(offer, measured) } == .policyDenied, "\(name)")
    }
  }

  @Test("Chains of other roots, or of none, get no session")
  func chains() async throws {
    let scene = try await LaunchScene(trustsRoot: false)
    #expect(await refusal { _ = try await scene.open() } == .evidenceRefused)
    let trusting = try await LaunchScene()
    var changed = trusting.chain
    changed[30] ^= 1
    #expect(await refusal { _ = try await trusting.open(chain: changed) } == .evidenceRefused)
    #expect(await refusal { _ = try await trusting.open(chain: [1, 2, 3]) } == .malformed)
    #expect(await refusal { _ = try await trusting.open(tee: "snp") } == .unsupportedTEE)
  }

  @Test("A session of the one protocol is none of the other")
  func protocols() async throws {
    let scene = try await LaunchScene()
    let broker = scene.fixture.broker
    for tee in ["sev", "sev-es"] {
      #expect(
        await refusal { _ = try await broker.challenge(BrokerFixture.request(tee)) }
          == .unsupportedTEE)
    }
    let offer = try await scene.open()
    let id = offer["session"]?.text
    #expect(
      await refusal {
        _ = try await broker.attest(
          try scene.fixture.attestation(nonce: "x"), session: id)
      } == .staleNonce)
    let second = try await scene.open()
    _ = try await scene.ask(second, try scene.launch(second))
    #expect(
      await refusal {
        _ = try await broker.resource(LaunchScene.key, session: second["session"]?.text, token: nil)
      } == .notAttested)
    let challenge = try await broker.challenge(BrokerFixture.request())
    let foreign = StrictJSON.members(("session", .string(challenge.session.id)))
    #expect(
      await refusal { _ = try await scene.ask(foreign, [UInt8](repeating: 0, count: 48)) }
        == .unknownSession)
  }

  @Test("What the firmware has no room for is refused before anything is released")
  func tooLarge() async throws {
    let scene = try await LaunchScene()
    let largest = SEVSecretTable.bytesMax - 40 - 3 - 1 - LaunchScene.key.utf8.count - 1
    for (count, code) in [(largest, nil), (largest + 1, KeyBrokerError.Code.tooLarge)] {
      try await scene.fixture.broker.setResource(
        LaunchScene.key, to: Data(repeating: 7, count: count), by: "test")
      let offer = try await scene.open()
      let measured = try scene.launch(offer, on: scene.platform.another())
      #expect(await refusal { _ = try await scene.ask(offer, measured) } == code, "\(count)")
    }
    let releases = try await scene.fixture.audit().filter { $0.contains(#""action":"release""#) }
    #expect(releases.map { $0.contains(#""outcome":"ok""#) } == [true, false])
  }

  @Test("The store holds the session's keys sealed, and for that session alone")
  func sealed() async throws {
    let scene = try await LaunchScene()
    let (first, second) = (try await scene.open(), try await scene.open())
    let store = scene.fixture.store
    let id = try #require(first["session"]?.text)
    let record = try #require(await store.session(id))
    #expect(record.nonce.contains("wrappedKey"))
    #expect(!record.nonce.contains("integrityKey"))
    // Moved to another session by whoever writes to the store, they do not open.
    let stolen = SessionRecord(
      id: String(repeating: "a", count: 32), nonce: record.nonce, tee: .sevES,
      expires: record.expires)
    try await store.open(stolen, limit: 10, now: scene.fixture.clock.now)
    let measured = try scene.launch(first)
    let moved = StrictJSON.members(("session", .string(stolen.id)))
    #expect(await refusal { _ = try await scene.ask(moved, measured) } == .corrupted)
    #expect(second["launch-blob"] != first["launch-blob"])
  }
}
