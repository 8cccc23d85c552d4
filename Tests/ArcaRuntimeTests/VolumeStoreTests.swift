import ArcaRuntime
import Foundation
import Testing

/// Volumes as the host keeps them.
@Suite struct VolumeStoreTests {
  let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
  let store: VolumeStore

  init() {
    var installation = Installation(environment: [:])
    installation.data = folder
    store = VolumeStore(installation)
  }

  func code(_ body: () throws -> Void) -> RuntimeError.Code? {
    do {
      try body()
      return nil
    } catch {
      return (error as? RuntimeError)?.code
    }
  }

  @Test func aVolumeIsMadeListedAndRemoved() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try store.create("b", sizeBytes: (1 << 30) + 5)
    try store.create("a", sizeBytes: VolumeStore.bytesMin)
    let listed = try store.list()
    #expect(listed.map(\.name) == ["a", "b"])
    #expect(listed[1].sizeBytes == 1 << 30)
    #expect(listed[1].usedBytes < 1 << 20, "it takes up nothing before it is written")
    #expect(!listed[1].isInUse)
    #expect(try store.remove("b"))
    #expect(try !store.remove("b"))
    #expect(code { _ = try store.find("b") } == .notFound)
    #expect(try store.list().map(\.name) == ["a"])
  }

  @Test func badNamesAndSizesAreRefused() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for name in ["", "-a", "A", "a/b", "..", String(repeating: "a", count: 64)] {
      #expect(code { try store.create(name, sizeBytes: 1 << 30) } == .name, "\(name)")
      #expect(code { _ = try store.find(name) } == .notFound, "\(name)")
      #expect(try !store.remove(name))
    }
    for size in [0, VolumeStore.bytesMin - 1, VolumeStore.bytesMax + 4096] {
      #expect(code { try store.create("a", sizeBytes: size) } == .volume)
    }
    try store.create("a", sizeBytes: 1 << 30)
    #expect(code { try store.create("a", sizeBytes: 1 << 30) } == .name)
  }

  @Test func whatAKilledProcessLeftIsSwept() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try store.create("a", sizeBytes: 1 << 30)
    for name in [".new-b", ".old-c"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/volumes/\(name)", withIntermediateDirectories: true)
    }
    #expect(try store.list().map(\.name) == ["a"])
    try store.create("b", sizeBytes: 1 << 30)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: "\(folder)/volumes").sorted()
        == [".lock", "a", "b"])
  }
}
