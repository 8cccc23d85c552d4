import ArcaTEE
import Foundation
import Testing

/// Files that cannot be read or written to their end.
@Suite struct FilesTests {
  func error(_ body: () throws -> Void) -> TEEError? {
    do {
      try body()
      return nil
    } catch {
      return error as? TEEError
    }
  }

  @Test func anInputErrorIsNoEndOfAFile() {
    // What no memory is mapped at cannot be read: EIO.
    let found = error { _ = try System.contents("/proc/self/mem", max: 1 << 20) }
    #expect(found?.code == .system)
    #expect(found?.systemError == EIO)
    #expect(found?.detail.contains("/proc/self/mem") == true)
  }

  @Test func aFileThatCannotBeReplacedLeavesNothing() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(
      atPath: folder + "/taken", withIntermediateDirectories: true)
    #expect(error { try System.replace(folder + "/taken", with: [1]) }?.code == .system)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["taken"])
    try System.replace(folder + "/file", with: [1, 2])
    try System.replace(folder + "/file", with: [3])
    #expect(try System.contents(folder + "/file", max: 1) == [3])
  }
}
