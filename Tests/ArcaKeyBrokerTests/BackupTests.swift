import ArcaKeyBroker
import ArcaKeyBrokerEtcd
import ArcaKeyBrokerSQLite
import Foundation
import Testing

/// Backups that are changed, cut off or not backups, and restorations that are broken off.
@Suite struct BackupTests {
  static func backup() async throws -> (BackupFile, [String]) {
    let (store, _) = try await StoreContractTests.pair(.sqlite)
    for index in 0..<3 as Range<UInt64> {
      try await store.put(
        try StoreContractTests.sealed("a/b/\(index)"), audit: StoreContractTests.event(index))
    }
    let file = BackupFile(path: NSTemporaryDirectory() + "/arca-\(UUID().uuidString)")
    _ = try await file.write(store)
    let text = String(
      decoding: FileManager.default.contents(atPath: file.path) ?? Data(), as: UTF8.self)
    return (file, text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
  }

  static func check(_ lines: [String]) async throws -> KeyBrokerError.Code? {
    let path = NSTemporaryDirectory() + "/arca-\(UUID().uuidString)"
    try PrivateFile.write(Array(lines.joined(separator: "\n").utf8), to: path)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return await refusal { _ = try BackupFile(path: path).check() }
  }

  @Test func everyChangeIsFound() async throws {
    let (file, lines) = try await Self.backup()
    #expect(try await Self.check(lines) == nil)
    for index in 0..<(lines.count - 1) {
      var changed = lines
      changed.remove(at: index)
      #expect(try await Self.check(changed) != nil, "without line \(index)")
      changed = lines
      changed[index] = changed[index].replacingOccurrences(of: "a", with: "b")
      #expect(try await Self.check(changed) != nil, "line \(index) changed")
    }
    #expect(try await Self.check(Array(lines.dropLast(2))) == .corrupted)
    #expect(try await Self.check(["version: 1", ""]) == .corrupted)
    #expect(
      await refusal {
        _ = try await file.write(try await StoreContractTests.pair(.sqlite).0)
      } == .store)
  }

  @Test(.enabled(if: StoreKind.available.contains(.etcd)))
  func aRestorationThatWasBrokenOffKeepsEtcdClosed() async throws {
    let service = try await EtcdMember.shared.service()
    let (file, _) = try await Self.backup()
    let store = try await EtcdStore(service)
    #expect(
      await refusal {
        try await store.fill { () throws(KeyBrokerError) in
          throw KeyBrokerError(.store, "broken off")
        }
      } == .store)
    #expect(await refusal { _ = try await EtcdStore(service) } == .restoring)
    #expect(await refusal { _ = try await store.announce("x") } == .restoring)
    let again = try EtcdStore(restoring: service)
    try await again.clear()
    try await file.restore(into: again)
    #expect(try await EtcdStore(service).resources().count == 3)
  }

  @Test(.enabled(if: StoreKind.available.contains(.etcd)))
  func aStoreThatIsServedFromIsNotReplaced() async throws {
    let store = try await EtcdStore(try await EtcdMember.shared.service())
    try await store.append(StoreContractTests.event())
    let replica = try await store.announce("one")
    #expect(await refusal { try await store.clear() } == .store)
    #expect(try await store.renew(replica))
    try await store.withdraw(replica)
    #expect(try await !store.renew(replica))
    try await store.clear()
    #expect(try await store.auditHead() == nil)
  }

  @Test(.enabled(if: StoreKind.available.contains(.etcd)))
  func theNextEndpointIsAskedWhereNobodyListens() async throws {
    let service = try await EtcdMember.shared.service(after: ["https://127.0.0.1:9"])
    let store = try await EtcdStore(service)
    try await store.append(StoreContractTests.event())
    #expect(try await store.auditHead()?.sequence == 1)
  }
}
