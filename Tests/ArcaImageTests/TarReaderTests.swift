import ArcaImage
import ArcaTestSupport
import Foundation
import Testing

/// Bytes in memory.
private struct Memory: ByteSource {
  let bytes: [UInt8]
  let name = "memory"
  var byteCount: UInt64 { UInt64(bytes.count) }

  func read(at offset: UInt64, count: Int) -> [UInt8] {
    guard offset < byteCount, count > 0 else { return [] }
    let start = Int(offset)
    return Array(bytes[start..<start + min(count, bytes.count - start)])
  }
}

private func entries(_ bytes: [UInt8], limits: ImageLimits = .init()) throws(ImageError)
  -> [TarEntry]
{
  var reader = TarReader(Memory(bytes: bytes), label: "test", limits: limits)
  var found: [TarEntry] = []
  while let entry = try reader.next() { found.append(entry) }
  return found
}

private func code(_ bytes: [UInt8]) -> ImageError.Code? {
  do {
    _ = try entries(bytes)
    return nil
  } catch {
    return error.code
  }
}

private func content(_ entry: TarEntry, in archive: [UInt8]) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: Int(entry.byteCount))
  for extent in entry.extents {
    let from = Int(extent.sourceOffset)
    let to = Int(extent.fileOffset)
    let count = Int(extent.byteCount)
    bytes.replaceSubrange(to..<to + count, with: archive[from..<from + count])
  }
  return bytes
}

@Suite struct TarReaderTests {
  /// What GNU tar makes of a folder with everything that its formats treat differently.
  @Test(arguments: ["gnu", "pax", "ustar", "oldgnu"])
  func gnuTarsFormatsAreRead(_ format: String) throws {
    let folder = try TemporaryFolder()
    let root = "\(folder.path)/root"
    let long = String(repeating: "a-long-folder-name/", count: format == "ustar" ? 5 : 20)
    // ustar has a prefix for long names, but none for long targets.
    let target = format == "ustar" ? "target" : "\(long)target"
    let script = """
      mkdir -p \(root)/\(long) && cd \(root) && echo text > \(long)file && ln -s \(target) link \
      && echo > \(target) && ln \(target) hard && mkfifo fifo && touch -d @1234567890 \(long)file \
      && tar --format=\(format) --owner=o:70000 --group=g:80000 --sort=name -cf ../a.tar .
      """
    _ = try Command.run(["sh", "-c", script])
    let archive = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/a.tar")))
    let found = try entries(archive)
    func entry(_ path: String) throws -> TarEntry {
      try #require(found.first { $0.path.elementsEqual("./\(path)".utf8) }, "\(path)")
    }
    #expect(try entry("fifo").kind == .fifo)
    #expect(try entry("link").kind == .symbolicLink)
    #expect(try entry("link").linkTarget.elementsEqual(target.utf8))
    let linked = [try entry("hard"), try entry(target)]
    #expect(linked.filter { $0.kind == .file }.count == 1)
    #expect(linked.filter { $0.kind == .hardLink }.count == 1)
    let file = try entry("\(long)file")
    #expect(content(file, in: archive).elementsEqual("text\n".utf8))
    #expect(file.modified == 1_234_567_890)
    #expect(found.allSatisfy { $0.uid == 70000 && $0.gid == 80000 })
  }

  @Test(arguments: [
    ["--format=gnu"], ["--format=pax", "--sparse-version=0.0"],
    ["--format=pax", "--sparse-version=0.1"], ["--format=pax", "--sparse-version=1.0"],
  ])
  func gnuTarsSparseFormatsAreRead(_ options: [String]) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/sparse"
    var expected = [UInt8](repeating: 0, count: 3 << 20)
    // More regions than one header has room for, so that continuation blocks are needed.
    for region in 0..<40 { expected[region * 65536 + 5] = UInt8(region + 1) }
    try Data(expected).write(to: URL(fileURLWithPath: path))
    _ = try Command.run(["fallocate", "--dig-holes", path])
    _ = try Command.run(
      ["tar", "-C", folder.path, "-S"] + options + ["-cf", "\(folder.path)/a.tar", "sparse"])
    let archive = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/a.tar")))
    let found = try entries(archive)
    #expect(found.map(\.path) == [Array("sparse".utf8)])
    #expect(found.first?.extents.count ?? 0 > 30)
    #expect(found.first.map { content($0, in: archive) } == expected)
  }

  @Test func globalHeadersHoldUntilTheyAreOverridden() throws {
    var tar = TarWriter()
    tar.add(
      "pax_global_header", type: "g",
      content: TarWriter.record("mtime", Array("5.9".utf8))
        + TarWriter.record("comment", Array("x".utf8)))
    tar.add("a", content: [1])
    tar.add("b", content: [1], records: [("mtime", Array("-5.5".utf8))])
    #expect(try entries(tar.finished()).map(\.modified) == [5, -6])
  }

  @Test func extendedAttributesAreReadInBothSpellings() throws {
    let value: [UInt8] = [1, 0, 0x0a, 0xff]
    var tar = TarWriter()
    tar.add("a", attributes: ["user.x": value])
    tar.add(
      "b", records: [("LIBARCHIVE.xattr.user.na%20me", Array("AQAK/w".utf8))])
    let found = try entries(tar.finished())
    #expect(
      found.map(\.attributes) == [
        [Array("user.x".utf8): value], [Array("user.na me".utf8): value],
      ])
  }

  @Test func largeNumbersAreRead() throws {
    var tar = TarWriter()
    tar.add("a", uid: 4_000_000_000, gid: 3_000_000_000)
    tar.add("b", type: "3", device: (259, 70000))
    let found = try entries(tar.finished())
    #expect(found[0].uid == 4_000_000_000)
    #expect(found[0].gid == 3_000_000_000)
    #expect(found[1].deviceMajor == 259)
    #expect(found[1].deviceMinor == 70000)
  }

  @Test func aStreamThatEndsAnywhereIsReadOrRefusedByName() throws {
    var tar = TarWriter()
    tar.add("a", content: [UInt8](repeating: 1, count: 700), attributes: ["user.a": [1]])
    let whole = tar.bytes
    // What follows the last content is only padding.
    let paddingBytes = 1024 - 700
    for count in 1..<whole.count - paddingBytes where count % 512 != 0 {
      #expect(code(Array(whole[..<count])) == .truncated, "\(count) bytes")
    }
    #expect(code(whole) == nil)
  }

  @Test func whatIsMalformedIsRefused() throws {
    var good = TarWriter()
    good.add("a", content: [1])
    var wrongSum = good.finished()
    wrongSum[100] ^= 1
    #expect(code(wrongSum) == .malformed)
    var unknown = TarWriter()
    unknown.add("a", type: "M")
    #expect(code(unknown.finished()) == .unsupported)
    for records in [
      [("size", Array("99999999999999999999".utf8))], [("size", Array("x".utf8))],
      [("uid", Array("4294967295".utf8))], [("mtime", Array("1.x".utf8))],
      [("GNU.sparse.size", Array("5".utf8)), ("GNU.sparse.map", Array("0,1,0,1".utf8))],
      [("GNU.sparse.size", Array("1".utf8)), ("GNU.sparse.map", Array("5,1".utf8))],
      [("GNU.sparse.major", Array("2".utf8))],
      [("LIBARCHIVE.xattr.user.a", Array("!".utf8))],
    ] {
      var tar = TarWriter()
      tar.add("a", content: [1], records: records)
      #expect(code(tar.finished()) == .malformed, "\(records)")
    }
    #expect(code([UInt8](repeating: 0, count: 512) + good.finished()) == .malformed)
  }

  @Test func noChangedByteTrapsOrRunsForEver() throws {
    var tar = TarWriter()
    tar.add("a", content: [UInt8](repeating: 1, count: 600), attributes: ["user.a": [1, 2]])
    tar.add(
      "b", content: [1, 2, 3],
      records: [("GNU.sparse.size", Array("9".utf8)), ("GNU.sparse.map", Array("0,1,4,2".utf8))])
    let whole = tar.finished()
    var refused = 0
    for offset in 0..<whole.count {
      for bit in [0, 3, 7] {
        var changed = whole
        changed[offset] ^= 1 << bit
        if code(changed) != nil { refused += 1 }
      }
    }
    #expect(refused > 2000)
  }
}
