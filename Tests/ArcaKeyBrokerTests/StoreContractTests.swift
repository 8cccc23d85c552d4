import ArcaBytes
import ArcaKeyBroker
import ArcaKeyBrokerEtcd
import ArcaKeyBrokerSQLite
import Crypto
import Foundation
import Testing

/// What every store must do, tried on each of them, with two brokers' views of one store.
@Suite struct StoreContractTests {
  /// Two views of one new store, as two brokers have it.
  static func pair(_ kind: StoreKind) async throws -> (any KeyBrokerStore, any KeyBrokerStore) {
    switch kind {
    case .sqlite:
      let path = NSTemporaryDirectory() + "/arca-store-\(UUID().uuidString).db"
      return (try SQLiteStore(path: path), try SQLiteStore(path: path))
    case .etcd:
      let service = try await EtcdMember.shared.service()
      return (try await EtcdStore(service), try await EtcdStore(service))
    }
  }

  static func session(_ index: Int = 0, expires: Int64 = 100) -> SessionRecord {
    SessionRecord(
      id: String(format: "%032x", index), nonce: "nonce \(index)", tee: .snp, expires: expires)
  }

  static func event(_ number: UInt64 = 0) -> AuditEvent {
    AuditEvent(.resource, at: 1, [.init("number", .number(number))])
  }

  static func sealed(_ path: String, _ fill: UInt8 = 7, size: Int = 3) throws -> SealedResource {
    SealedResource(
      path: try ResourcePath(path), keyID: "000001", wrappedKey: [1, 2, 3, fill],
      box: [UInt8](repeating: fill, count: 28 + size), updated: 5)
  }

  @Test(arguments: StoreKind.available) func sessionsAreKeptUntilTheyAreOver(
    _ kind: StoreKind
  ) async throws {
    let (one, two) = try await Self.pair(kind)
    try await one.open(Self.session(1), limit: 2, now: 1)
    try await two.open(Self.session(2, expires: 200), limit: 2, now: 1)
    #expect(
      await refusal { try await one.open(Self.session(3), limit: 2, now: 99) } == .tooManySessions)
    #expect(try await two.session(Self.session(1).id) == Self.session(1))
    try await one.open(Self.session(3, expires: 200), limit: 2, now: 100)
    #expect(try await one.session(Self.session(1).id) == nil)
    #expect(try await one.session(Self.session(2).id) == Self.session(2, expires: 200))
  }

  /// The owner's side of a launch stands in the nonce's place: JSON, as long as a platform's chain.
  @Test(arguments: StoreKind.available) func whatIsSealedForALaunchIsKeptWhole(
    _ kind: StoreKind
  ) async throws {
    let (one, two) = try await Self.pair(kind)
    for (index, tee) in [AttesterKind.sevES, .sev].enumerated() {
      let sealed = "{\"keyID\":\"1\",\"box\":\"" + String(repeating: "A", count: 16_384) + "\"}"
      let session = SessionRecord(
        id: Self.session(index).id, nonce: sealed, tee: tee, expires: 100)
      try await one.open(session, limit: 9, now: 1)
      #expect(try await two.session(session.id) == session)
      #expect(try await two.attest(session: session.id, with: [1], audit: Self.event()))
      #expect(try await !one.attest(session: session.id, with: [1], audit: Self.event()))
    }
  }

  @Test(arguments: StoreKind.available) func aNonceIsTakenOnce(_ kind: StoreKind) async throws {
    let (one, two) = try await Self.pair(kind)
    let id = Self.session().id
    try await one.open(Self.session(), limit: 9, now: 1)
    #expect(try await two.session(id)?.isNonceTaken == false)
    let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<16 {
        group.addTask {
          try await (index % 2 == 0 ? one : two).attest(
            session: id, with: [UInt8(index)], audit: Self.event(UInt64(index)))
        }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(taken == 1)
    #expect(try await one.session(id)?.isNonceTaken == true)
    #expect(try await AuditChain.verify(one).count == 1)
  }

  @Test(arguments: StoreKind.available) func aRefusedAttemptTakesTheNonce(
    _ kind: StoreKind
  ) async throws {
    let (one, two) = try await Self.pair(kind)
    let id = Self.session().id
    try await one.open(Self.session(), limit: 9, now: 1)
    try await one.refuse(session: id, audit: Self.event(1))
    #expect(try await two.session(id)?.isNonceTaken == true)
    #expect(try await !two.attest(session: id, with: [1], audit: Self.event(2)))
    #expect(try await one.session(id)?.attestation == nil)
    // What was refused is in the log, whether or not there was a nonce left to take.
    try await two.refuse(session: id, audit: Self.event(3))
    try await two.refuse(session: Self.session(5).id, audit: Self.event(4))
    #expect(try await one.session(Self.session(5).id) == nil)
    #expect(try await AuditChain.verify(one).count == 3)
  }

  @Test(arguments: StoreKind.available) func anAttestationIsStoredWithItsSession(
    _ kind: StoreKind
  ) async throws {
    let (one, two) = try await Self.pair(kind)
    #expect(
      await refusal {
        _ = try await one.attest(session: Self.session().id, with: [1], audit: Self.event())
      } == .expiredSession)
    #expect(try await one.auditHead() == nil)
    try await one.open(Self.session(), limit: 9, now: 1)
    #expect(
      try await one.attest(session: Self.session().id, with: [1, 2], audit: Self.event()))
    #expect(try await two.session(Self.session().id)?.attestation == [1, 2])
    #expect(try await two.auditHead()?.sequence == 1)
  }

  @Test(arguments: StoreKind.available) func aResourceIsReleasedOnceToASession(
    _ kind: StoreKind
  ) async throws {
    let (one, two) = try await Self.pair(kind)
    let path = try ResourcePath("a/b/c")
    try await one.open(Self.session(), limit: 9, now: 1)
    let released = try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<16 {
        group.addTask {
          try await (index % 2 == 0 ? one : two).release(
            path, toSession: Self.session().id, audit: Self.event(UInt64(index)))
        }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(released == 1)
    #expect(try await AuditChain.verify(two).count == 1)
    #expect(
      try await two.release(
        ResourcePath("a/b/d"), toSession: Self.session().id, audit: Self.event()))
  }

  @Test(arguments: StoreKind.available) func resourcesAreSetListedAndRemoved(
    _ kind: StoreKind
  ) async throws {
    let (one, two) = try await Self.pair(kind)
    #expect(try await one.resource(ResourcePath("a/b/c")) == nil)
    try await one.put(try Self.sealed("a/b/c"), audit: Self.event(1))
    try await two.put(try Self.sealed("a/b/c", 9, size: 1 << 20), audit: Self.event(2))
    try await one.put(try Self.sealed("a/b/a", size: 0), audit: Self.event(3))
    #expect(
      try await one.resource(ResourcePath("a/b/c")) == Self.sealed("a/b/c", 9, size: 1 << 20))
    let listed = try await one.resources()
    #expect(listed.map(\.path.description) == ["a/b/a", "a/b/c"])
    #expect(listed.map(\.size) == [0, 1 << 20])
    #expect(try await two.delete(ResourcePath("a/b/c"), audit: Self.event(4)))
    #expect(try await !one.delete(ResourcePath("a/b/c"), audit: Self.event(5)))
    #expect(try await one.resource(ResourcePath("a/b/c")) == nil)
    #expect(try await AuditChain.verify(one).count == 5)
  }

  @Test(arguments: StoreKind.available) func everyKeyIsWrappedAnew(_ kind: StoreKind) async throws {
    let (one, two) = try await Self.pair(kind)
    for index in 0..<20 {
      try await one.put(try Self.sealed("a/b/\(index)"), audit: Self.event())
    }
    try await two.rewrap(audit: AuditEvent(.rotate, at: 2, [])) { resource in
      SealedResource(
        path: resource.path, keyID: "000002", wrappedKey: [9], box: resource.box,
        updated: resource.updated)
    }
    #expect(try await one.resources().allSatisfy { $0.keyID == "000002" && $0.size == 3 })
    let found = try #require(try await one.resource(ResourcePath("a/b/7")))
    #expect(found.wrappedKey == [9] && found.box == [UInt8](repeating: 7, count: 31))
    #expect(try await AuditChain.verify(one).count == 21)
  }

  @Test(arguments: StoreKind.available) func aCounterIsAdvancedByOneOfMany(
    _ kind: StoreKind
  ) async throws {
    let (one, two) = try await Self.pair(kind)
    let path = try ResourcePath("a/b/c")
    #expect(try await one.generation(path) == 0)
    for round in 0..<3 as Range<UInt64> {
      let advanced = try await withThrowingTaskGroup(of: Bool.self) { group in
        for index in 0..<10 {
          group.addTask {
            try await (index % 2 == 0 ? one : two).advance(
              path, from: round, to: round + 1, audit: Self.event(round))
          }
        }
        return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
      }
      #expect(advanced == 1)
    }
    #expect(try await two.generations() == [GenerationCounter(path: path, generation: 3)])
    #expect(
      try await one.advance(path, from: 3, to: CounterRequest.generationMax, audit: Self.event()))
    #expect(try await two.generation(path) == CounterRequest.generationMax)
    #expect(try await one.removeGeneration(path, audit: Self.event()))
    #expect(try await !two.removeGeneration(path, audit: Self.event()))
    #expect(try await AuditChain.verify(two).count == 6)
  }

  @Test(arguments: StoreKind.available) func thePolicyIsWhatWasInstalledLast(
    _ kind: StoreKind
  ) async throws {
    let (one, two) = try await Self.pair(kind)
    #expect(try await one.policy() == nil)
    try await one.install(policy: [1], audit: Self.event())
    try await two.install(policy: [2, 3], audit: Self.event())
    #expect(try await one.policy() == [2, 3])
  }

  @Test(arguments: StoreKind.available) func theAuditLogIsOneChainOfManyWriters(
    _ kind: StoreKind
  ) async throws {
    let (one, two) = try await Self.pair(kind)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<60 {
        group.addTask {
          try await (index % 2 == 0 ? one : two).append(Self.event(UInt64(index)))
        }
      }
      try await group.waitForAll()
    }
    let entries = try await two.auditEntries(from: 1, limit: 1000)
    #expect(Set(entries.map(\.text)).count == 60)
    #expect(try await AuditChain.verify(one).count == 60)
    #expect(try await one.auditEntries(from: 59, limit: 1).map(\.sequence) == [59])
  }

  @Test(arguments: StoreKind.available, StoreKind.available) func aBackupFillsAnotherStore(
    _ from: StoreKind, _ to: StoreKind
  ) async throws {
    let (source, _) = try await Self.pair(from)
    let (target, other) = try await Self.pair(to)
    for index in 0..<50 {
      try await source.put(
        try Self.sealed("a/b/\(index)", size: index == 9 ? 1 << 20 : 9), audit: Self.event())
    }
    _ = try await source.advance(ResourcePath("a/b/c"), from: 0, to: 8, audit: Self.event())
    try await source.install(policy: [1, 2], audit: Self.event())
    try await source.open(Self.session(), limit: 9, now: 1)
    let backup = BackupFile(path: NSTemporaryDirectory() + "/arca-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(atPath: backup.path) }
    let summary = try await backup.write(source)
    #expect(summary.records == 104 && summary.audit.count == 52)
    try await backup.restore(into: target)
    #expect(try await other.resources() == source.resources())
    #expect(
      try await other.resource(ResourcePath("a/b/9")) == source.resource(ResourcePath("a/b/9")))
    #expect(try await other.generation(ResourcePath("a/b/c")) == 8)
    #expect(try await other.policy() == [1, 2])
    #expect(try await other.session(Self.session().id) == nil)
    #expect(try await AuditChain.verify(other).head == summary.audit.head)
    try await other.append(Self.event())
    #expect(try await AuditChain.verify(target).count == 53)
    #expect(await refusal { try await backup.restore(into: target) } == .store)
  }
}
