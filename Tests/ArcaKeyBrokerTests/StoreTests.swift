import ArcaKeyBroker
import ArcaKeyBrokerSQLite
import Crypto
import Foundation
import GRDB
import Testing

/// Sealing, rotation, backup and the audit log's chain.
@Suite struct StoreTests {
  static let content = Data("marked secret".utf8)

  @Test func resourcesAreEncryptedAtRest() async throws {
    let fixture = try await BrokerFixture()
    try await fixture.broker.setResource("a/b/c", to: Self.content, by: "test")
    #expect(try await fixture.broker.revealResource("a/b/c", by: "test") == Self.content)
    for name in try FileManager.default.contentsOfDirectory(atPath: fixture.folder)
    where name.hasPrefix("broker.db") {
      let bytes = try #require(FileManager.default.contents(atPath: "\(fixture.folder)/\(name)"))
      #expect(bytes.range(of: Self.content) == nil)
    }
    let listed = try await fixture.broker.listResources()
    #expect(listed.map(\.size) == [Self.content.count])
  }

  @Test func aResourceOpensAtItsPathAlone() async throws {
    let fixture = try await BrokerFixture()
    let keys = MasterKeys(try MasterKeyFiles(folder: fixture.folder + "/keys"))
    let sealed = try keys.seal(Self.content, at: ResourcePath("a/b/c"), time: 1)
    let moved = SealedResource(
      path: try ResourcePath("a/b/d"), keyID: sealed.keyID, wrappedKey: sealed.wrappedKey,
      box: sealed.box, updated: 1)
    #expect(await refusal { _ = try keys.openForAdministrator(moved) } == .corrupted)
  }

  @Test func rotationKeepsEveryResource() async throws {
    let fixture = try await BrokerFixture()
    try await fixture.broker.setResource("a/b/c", to: Self.content, by: "test")
    let id = try MasterKeyFiles.make(in: fixture.folder + "/keys")
    try await fixture.broker.rotate(by: "test")
    #expect(try await fixture.broker.listResources().map(\.keyID) == [id])
    try FileManager.default.removeItem(atPath: fixture.folder + "/keys/000001.key")
    let keys = MasterKeys(try MasterKeyFiles(folder: fixture.folder + "/keys"))
    let sealed = try #require(try await fixture.store.resource(ResourcePath("a/b/c")))
    #expect(try keys.openForAdministrator(sealed) == Self.content)
  }

  @Test func aMasterKeyThatOthersMayReadIsRefused() async throws {
    let fixture = try await BrokerFixture()
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o640], ofItemAtPath: fixture.folder + "/keys/000001.key")
    #expect(
      await refusal { _ = MasterKeys(try MasterKeyFiles(folder: fixture.folder + "/keys")) }
        == .keyFile)
  }

  @Test func aPrivateFileIsWholeOrNotThere() async throws {
    let folder = NSTemporaryDirectory() + "/arca-private-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/secret"
    // What a killed process left.
    try Data("half".utf8).write(to: URL(fileURLWithPath: path + ".new"))
    try PrivateFile.write(Array(Self.content), to: path)
    #expect(try PrivateFile.read(path) == Self.content)
    #expect(await refusal { try PrivateFile.write([1], to: path) } == .keyFile)
    #expect(try PrivateFile.read(path) == Self.content)
    #expect(await refusal { try PrivateFile.write([1], to: folder + "/none/x") } == .keyFile)
    #expect(!FileManager.default.fileExists(atPath: path + ".new"))
  }

  @Test func aLogThatCannotBeMergedIsNoClosedStore() async throws {
    let path = NSTemporaryDirectory() + "/arca-store-\(UUID().uuidString).db"
    let store = try SQLiteStore(path: path)
    try await store.append(StoreContractTests.event())
    let reader = try SQLiteStore(path: path)
    try await reader.snapshot { _ throws(KeyBrokerError) in
      do throws(KeyBrokerError) {
        try store.close()
        throw KeyBrokerError(.corrupted, "closed, though a reader needs its log")
      } catch {
        guard error.code == .store else { throw error }
      }
    }
    try reader.close()
    let log = FileManager.default.contents(atPath: path + "-wal") ?? Data()
    #expect(log.isEmpty)
    #expect(try await SQLiteStore(path: path, creates: false).auditHead()?.sequence == 1)
  }

  @Test func aBackupHoldsWhatWasThere() async throws {
    let fixture = try await BrokerFixture()
    try await fixture.broker.setResource("a/b/c", to: Self.content, by: "test")
    let backup = BackupFile(path: fixture.folder + "/backup")
    #expect(try await backup.write(fixture.store).audit.count == 2)
    _ = try await fixture.broker.deleteResource("a/b/c", by: "test")
    let copy = try SQLiteStore(path: fixture.folder + "/copy.db")
    try await backup.restore(into: copy)
    let sealed = try #require(try await copy.resource(ResourcePath("a/b/c")))
    let keys = MasterKeys(try MasterKeyFiles(folder: fixture.folder + "/keys"))
    #expect(try keys.openForAdministrator(sealed) == Self.content)
    #expect(try await fixture.store.resource(ResourcePath("a/b/c")) == nil)
    #expect(try await AuditChain.verify(copy).count == 2)
  }

  static func log(_ count: Int) async throws -> BrokerFixture {
    let fixture = try await BrokerFixture()
    for index in 1..<count {
      try await fixture.broker.setResource("a/b/\(index)", to: content, by: "test")
    }
    return fixture
  }

  /// Works on the database as an intruder would.
  static func tamper(_ fixture: BrokerFixture, _ sql: String) throws {
    let queue = try DatabaseQueue(path: fixture.folder + "/broker.db")
    try queue.write { try $0.execute(sql: sql) }
  }

  @Test func theAuditLogRefusesChanges() async throws {
    let fixture = try await Self.log(2)
    #expect(throws: DatabaseError.self) { try Self.tamper(fixture, "DELETE FROM audit") }
    #expect(throws: DatabaseError.self) { try Self.tamper(fixture, "UPDATE audit SET text = ''") }
  }

  @Test(arguments: [
    "UPDATE audit SET text = replace(text, 'set', 'get') WHERE sequence = 2",
    "DELETE FROM audit WHERE sequence = 2", "DELETE FROM audit WHERE sequence = 1",
    "UPDATE audit SET hash = zeroblob(32) WHERE sequence = 4",
  ])
  func aChangedAuditLogIsFound(sql: String) async throws {
    let fixture = try await Self.log(4)
    #expect(try await AuditChain.verify(fixture.store).count == 4)
    try Self.tamper(fixture, "DROP TRIGGER auditUpdate; DROP TRIGGER auditDelete; \(sql)")
    #expect(await refusal { _ = try await AuditChain.verify(fixture.store) } == .auditChain)
  }

  @Test func aLogCutOffAtItsEndIsFoundByANotedHead() async throws {
    let fixture = try await Self.log(4)
    let head = try await AuditChain.verify(fixture.store).head
    let noted = head.map { String(format: "%02x", $0) }.joined()
    #expect(try await AuditChain.verify(fixture.store, containing: noted).count == 4)
    try Self.tamper(
      fixture, "DROP TRIGGER auditDelete; DELETE FROM audit WHERE sequence = 4")
    #expect(try await AuditChain.verify(fixture.store).count == 3)
    #expect(
      await refusal { _ = try await AuditChain.verify(fixture.store, containing: noted) }
        == .auditChain)
  }

  @Test func administratorsTokensAreChecked() async throws {
    let (ec, ed) = (P256.Signing.PrivateKey(), Curve25519.Signing.PrivateKey())
    let administrators = Administrators(keys: [.es256(ec.publicKey), .edDSA(ed.publicKey)])
    for key in [JWSPrivateKey.es256(ec), .edDSA(ed)] {
      let token = try Administrators.token(name: "root", seconds: 60, at: 1000, with: key)
      #expect(try administrators.name(authorization: "Bearer \(token)", at: 1059) == "root")
      for (time, header) in [(1060, "Bearer \(token)"), (900, "Bearer \(token)"), (1000, token)] {
        #expect(
          await refusal { _ = try administrators.name(authorization: header, at: Int64(time)) }
            == .invalidAdminToken)
      }
    }
    let stranger = try Administrators.token(
      name: "root", seconds: 60, at: 1000, with: .es256(.init()))
    #expect(
      await refusal { _ = try administrators.name(authorization: "Bearer \(stranger)", at: 1000) }
        == .invalidAdminToken)
    let long = try JWS.sign(
      .members(("iat", .number(1000)), ("exp", .number(100_000))), with: .es256(ec))
    #expect(
      await refusal { _ = try administrators.name(authorization: "Bearer \(long)", at: 1000) }
        == .invalidAdminToken)
  }

  @Test func aConfigurationLeavesNothingToGuess() async throws {
    let standard = try BrokerConfiguration(
      yaml: BrokerConfiguration.initial, in: BrokerFolder(path: "/none"))
    #expect(!standard.dangerouslyAcceptSimulatedEvidence)
    #expect(standard.port == 8443)
    for yaml in [
      "version: 1\nlisten: x\nissuer: a", "version: 1\nlisten: 1.2.3.4:99999\nissuer: a",
      BrokerConfiguration.initial + "typo: 1\n",
      BrokerConfiguration.initial + "simulatedRoots: [a.der]\n",
      BrokerConfiguration.initial.replacingOccurrences(of: "300", with: "0"),
      BrokerConfiguration.initial + "pkcs11: {module: m.so, token: t, pinFile: p}\n",
      BrokerConfiguration.initial + "pkcs11: {module: /m.so, token: t}\n",
      BrokerConfiguration.initial + "etcd: {endpoints: ['http://x:1'], prefix: /x, "
        + "authority: a, certificate: c, certificateKey: k}\n",
    ] {
      #expect(
        await refusal { _ = try BrokerConfiguration(yaml: yaml, in: BrokerFolder(path: "/none")) }
          == .invalidConfiguration)
    }
  }
}
