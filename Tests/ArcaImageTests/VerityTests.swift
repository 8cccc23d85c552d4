import ArcaBytes
import ArcaImage
import ArcaTestSupport
import Foundation
import Testing

@Suite struct VerityTests {
  private static let salt = [UInt8](repeating: 0xa5, count: 32)

  /// One block, a level that is just full, one that just overflows, and three levels.
  @Test(arguments: [2, 127, 128, 129, 128 * 128, 128 * 128 + 1])
  func theTreeIsTheOneThatVeritysetupMakes(_ blocks: Int) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/data"
    var bytes = [UInt8](repeating: 0, count: blocks * 4096)
    for block in 0..<blocks {
      bytes[block * 4096 + block % 4096] = UInt8(truncatingIfNeeded: block + 1)
    }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let file = try DataFile.creating("\(folder.path)/ours")
    try file.write(bytes[...], at: 0)
    let tree = try VerityTree.append(to: file, salt: Self.salt)
    let output = try Command.run([
      "veritysetup", "format", "--no-superblock", "--salt", Hex.encode(Self.salt), path,
      "\(folder.path)/hash",
    ])
    let expected = String(decoding: output, as: UTF8.self).split(separator: "\n")
      .first { $0.hasPrefix("Root hash:") }?.split(whereSeparator: \.isWhitespace).last
      .map(String.init)
    #expect(Hex.encode(tree.rootHash) == expected)
    #expect(tree.dataBlocks == UInt64(blocks))
    let hashes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/hash")))
    let appended = try file.read(at: UInt64(bytes.count), count: Int(file.byteCount) - bytes.count)
    #expect(appended == hashes)
  }

  @Test func aChangedByteOfImageOrTreeIsFoundByVeritysetup() throws {
    let fixture = try ImageFixture()
    let text = String(repeating: "some content ", count: 100_000)
    let image = try fixture.convert([layer([("a", text), ("b/c", "d")])])
    #expect(throws: Never.self) { try verify(image, image.rootfsPath) }
    let original = try Data(contentsOf: URL(fileURLWithPath: image.rootfsPath))
    let hashStart = Int(image.hashStartBlock) * 4096
    for offset in [1024, 4096 * 9 + 7, hashStart - 4000, hashStart + 5, hashStart + 4096 + 3] {
      var changed = original
      changed[offset] ^= 0x10
      let path = "\(fixture.folder.path)/changed"
      try changed.write(to: URL(fileURLWithPath: path))
      #expect(throws: Command.Failure.self, "byte \(offset)") { try verify(image, path) }
    }
  }

  @Test func theSaltFollowsTheContentsOfTheTree() throws {
    let one = try ImageFixture().convert([layer([("a", "1")])])
    let same = try ImageFixture().convert([layer([("a", "1")])])
    let other = try ImageFixture().convert([layer([("b", "1")])])
    #expect(one.salt == same.salt)
    #expect(one.rootHash == same.rootHash)
    #expect(one.salt != other.salt)
  }

  private func verify(_ image: PreparedImage, _ path: String) throws {
    _ = try Command.run([
      "veritysetup", "verify", "--no-superblock", "--data-blocks", "\(image.dataBlocks)",
      "--hash-offset", "\(image.hashStartBlock * 4096)", "--salt", Hex.encode(image.salt), path,
      path, Hex.encode(image.rootHash),
    ])
  }
}
