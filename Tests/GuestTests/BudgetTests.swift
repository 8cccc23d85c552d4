import Foundation
import Testing

extension GuestTests {
  /// The budgets of docs/specification.md for what is trusted.
  @Suite struct BudgetTests {
    @Test func theInitAndTheInitrdAreSmall() throws {
      let guest = GuestMachine.package.appending(path: "out/lib/arca/guest")
      let initrd = try Data(contentsOf: guest.appending(path: "initrd"))
      #expect(initrd.count <= 3_000_000)
      let initBytes = try #require(size(of: "init", inArchive: initrd))
      let cryptographyBytes = try release().cryptographyBytes
      #expect((100_000...130_000).contains(cryptographyBytes))
      #expect((10_000...300_000).contains(initBytes - cryptographyBytes))
    }

    @Test func ownCodeInTheGuestIsShort() throws {
      let release = try release()
      #expect(release.linesOfCode.keys.contains("ArcaInit"))
      #expect((1000...5_100).contains(release.linesOfCode.values.reduce(0, +)))
    }

    private struct Release: Decodable {
      let linesOfCode: [String: Int]
      let cryptographyBytes: Int
    }

    private func release() throws -> Release {
      let guest = GuestMachine.package.appending(path: "out/lib/arca/guest")
      return try JSONDecoder().decode(
        Release.self, from: Data(contentsOf: guest.appending(path: "release.json")))
    }

    /// The size of the file `name` in a newc archive (cpio(5): 13 fields of 8 hexadecimal digits).
    private func size(of name: String, inArchive archive: Data) -> Int? {
      var offset = 0
      while offset + 110 <= archive.count {
        func field(_ index: Int) -> Int {
          let start = offset + 6 + index * 8
          return Int(String(decoding: archive[start..<start + 8], as: UTF8.self), radix: 16) ?? 0
        }
        let (fileBytes, nameBytes) = (field(6), field(11))
        let found = archive[offset + 110..<offset + 110 + nameBytes - 1]
        if String(decoding: found, as: UTF8.self) == name { return fileBytes }
        let content = (offset + 110 + nameBytes + 3) & ~3
        offset = (content + fileBytes + 3) & ~3
        if nameBytes == 0 { return nil }
      }
      return nil
    }
  }
}
