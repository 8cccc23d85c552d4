import ArcaImage
import ArcaTestSupport
import Crypto
import Foundation
import Testing

@Suite struct ErofsTests {
  @Test func everyKindOfFileComesOutAsItWentIn() throws {
    let fixture = try ImageFixture()
    var tar = TarWriter()
    tar.add("file", content: Array("text".utf8), mode: 0o1751, uid: 3_000_000_000, gid: 7)
    tar.add("empty", mode: 0o000)
    tar.add("fifo", type: "6", mode: 0o600)
    tar.add("null", type: "3", mode: 0o666, device: (1, 3))
    tar.add("disk", type: "4", mode: 0o660, device: (259, 70000))
    tar.directory("folder", mode: 0o1777)
    let root = try fixture.extract(try fixture.convert([tar.finished()]))
    // The size of a folder is the file system's, into which the image was extracted.
    let format = "%n %F %a %u %g %s %t:%T %Y"
    let printed = try Command.run([
      "sh", "-c",
      "cd \(root) && stat -c '\(format)' file empty fifo null disk"
        + " && stat -c '%n %F %a %u %g %Y' folder",
    ])
    #expect(
      String(decoding: printed, as: UTF8.self) == """
        file regular file 1751 3000000000 7 4 0:0 1600000000
        empty regular empty file 0 0 0 0 0:0 1600000000
        fifo fifo 600 0 0 0 0:0 0
        null character special file 666 0 0 0 1:3 0
        disk block special file 660 0 0 0 103:11170 0
        folder directory 1777 0 0 0

        """)
  }

  /// Around the sizes at which content moves between the inode's block and blocks of its own.
  @Test func contentsOfEverySizeComeOutAsTheyWentIn() throws {
    let sizes = [
      1, 2047, 2048, 2049, 4032, 4095, 4096, 4097, 6143, 6144, 6145, 65535, 65536, 65537, 1 << 20,
      (1 << 20) + 1, 3_000_001,
    ]
    let fixture = try ImageFixture()
    var tar = TarWriter()
    var expected: [String: [UInt8]] = [:]
    for size in sizes {
      let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8 | 1) }
      expected["size-\(size)"] = content
      tar.add("size-\(size)", content: content)
    }
    let root = try fixture.extract(try fixture.convert([tar.finished()]))
    for (name, content) in expected {
      #expect(
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(root)/\(name)"))) == content, "\(name)")
    }
  }

  /// Plain, inline and chunked contents, holes, and folders of several blocks.
  @Test func theListOfFilesHasEveryFileAndItsDigest() throws {
    let fixture = try ImageFixture()
    var contents: [String: [UInt8]] = [:]
    for size in [0, 1, 2048, 2049, 4096, 6145, 65537, 3_000_001] {
      contents["size-\(size)"] = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 | 1) }
    }
    var sparse = [UInt8](repeating: 0, count: 1 << 20)
    sparse[300_000] = 1
    contents["sparse"] = sparse
    contents["sparse-short"] = sparse + [7]
    for number in 0..<400 { contents["folder/a-rather-long-name-\(number)"] = [1] }
    var tar = TarWriter()
    for (name, content) in contents { tar.add(name, content: content) }
    let image = try fixture.convert([tar.finished()])
    let listed = try #require(try image.files())
    for (name, content) in contents {
      let file = try #require(listed.first { $0.path == "/" + name }, "\(name)")
      #expect(file.byteCount == UInt64(content.count))
      #expect(file.sha256 == Array(SHA256.hash(data: content)), "\(name)")
    }
    let paths = listed.map(\.path)
    #expect(paths == paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
  }

  @Test func anImageIsUnpackedOnceAndGoesWithIt() throws {
    let fixture = try ImageFixture()
    var tar = TarWriter()
    tar.directory("folder", mode: 0o1770)
    tar.add(
      "folder/file", content: [UInt8](repeating: 7, count: 70_000), mode: 0o640, uid: 5, gid: 6)
    tar.add("hard", type: "1", link: "folder/file")
    tar.add("soft", type: "2", link: "../../outside")
    var image: PreparedImage? = try fixture.convert([tar.finished()])
    let prepared = try #require(image)
    let unpacked = try fixture.store.unpack(prepared)
    #expect(unpacked.files == (try prepared.files()))
    let printed = try Command.run([
      "sh", "-c",
      "cd \(unpacked.folder) && stat -c '%n %F %a %u %g %h %s %Y' . folder folder/file hard"
        + " && readlink soft && cmp folder/file hard",
    ])
    let lines = String(decoding: printed, as: UTF8.self).split(separator: "\n")
    #expect(lines[0].hasPrefix(". directory 755 0 0"))
    #expect(lines[1].hasPrefix("folder directory 1770 0 0"))
    #expect(lines[2] == "folder/file regular file 640 5 6 2 70000 1600000000")
    #expect(lines[3] == "hard regular file 640 5 6 2 70000 1600000000")
    #expect(lines[4] == "../../outside")
    #expect(try fixture.store.unpack(prepared).folder == unpacked.folder)
    let digest = prepared.manifestDigest
    image = nil
    _ = consume prepared
    #expect(try fixture.store.remove(digest))
    #expect(!FileManager.default.fileExists(atPath: unpacked.folder))
  }

  @Test func aListIsRefusedWhereTheImageIsCutOrIsNone() throws {
    let fixture = try ImageFixture()
    let image = try fixture.convert([layer([("folder/file", "text"), ("other", "more")])])
    let whole = try Data(contentsOf: URL(fileURLWithPath: image.rootfsPath))
    let path = "\(fixture.folder.path)/damaged"
    var noMagic = whole
    noMagic[1024] ^= 1
    for damaged in [noMagic, whole.prefix(1100), whole.prefix(4096), Data()] {
      try damaged.write(to: URL(fileURLWithPath: path))
      let file = try DataFile.reading(path)
      let error = #expect(throws: ImageError.self) {
        try ErofsReader.files(of: file, byteCount: UInt64(damaged.count))
      }
      #expect(error?.code == .malformed)
    }
  }

  @Test func aFolderOfManyLongNamesIsFoundWhole() throws {
    let names = (0..<3000).map { "\($0)-" + String(repeating: "n", count: $0 % 240) }
    let fixture = try ImageFixture()
    let image = try fixture.convert([layer(names.map { ("folder/\($0)", "") })])
    let root = try fixture.extract(image)
    let found = try FileManager.default.contentsOfDirectory(atPath: "\(root)/folder")
    #expect(Set(found) == Set(names))
    // The kernel finds a name by halving, so every single one is looked up by path as well.
    for name in names where name.utf8.count % 29 == 0 {
      #expect(try fixture.describe("/folder/\(name)", in: image).contains("regular file"))
    }
  }

  @Test func zerosAreNotStoredWhetherTheLayerHasThemAsHolesOrNot() throws {
    var content = [UInt8](repeating: 0, count: 10 << 20)
    content[5 << 20] = 1
    content[(10 << 20) - 1] = 2
    var plain = TarWriter()
    plain.add("sparse", content: content)
    var sparse = TarWriter()
    sparse.add(
      "sparse", content: [1, 2],
      records: [
        ("GNU.sparse.size", Array("\(10 << 20)".utf8)),
        ("GNU.sparse.map", Array("\(5 << 20),1,\((10 << 20) - 1),1".utf8)),
      ])
    let fixtures = [try ImageFixture(), try ImageFixture()]
    let images = [
      try fixtures[0].convert([plain.finished()]), try fixtures[1].convert([sparse.finished()]),
    ]
    #expect(images[0].rootHash == images[1].rootHash)
    #expect(images[0].sizeBytes < 300_000)
    // The table of chunks of 64 KiB: all holes but the ones with a byte, at blocks 1 and 17.
    var table = [UInt8](repeating: 0xff, count: 160 * 4)
    table.replaceSubrange(80 * 4..<81 * 4, with: [1, 0, 0, 0])
    table.replaceSubrange(159 * 4..<160 * 4, with: [17, 0, 0, 0])
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: images[0].rootfsPath)))
    #expect(bytes.firstRange(of: table) != nil)
    #expect(bytes[4096] == 1)
    #expect(bytes[17 * 4096 + 65535] == 2)
  }

  @Test func extendedAttributesAreInTheImage() throws {
    let capability: [UInt8] = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    var tar = TarWriter()
    tar.add(
      "ping", content: [1],
      attributes: [
        "security.capability": capability, "user.note": Array("value".utf8),
        "trusted.overlay.opaque": [0x79], "com.apple.provenance": [1],
      ])
    let fixture = try ImageFixture()
    let image = try fixture.convert([tar.finished()])
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: image.rootfsPath)))
    // Name length, index of the prefix, value length, the rest of the name, the value.
    let entries = [
      [10, 6, 20, 0] + Array("capability".utf8) + capability,
      [4, 1, 5, 0] + Array("note".utf8) + Array("value".utf8),
    ]
    for entry in entries { #expect(bytes.firstRange(of: entry) != nil) }
    #expect(bytes.firstRange(of: Array("opaque".utf8)) == nil)
    #expect(bytes.firstRange(of: Array("provenance".utf8)) == nil)
    #expect(try fixture.describe("/ping", in: image).contains("Xattr size: 64"))
  }

  @Test func timesAreKeptForFilesAlone() throws {
    func image(_ modified: Int) throws -> PreparedImage {
      var tar = TarWriter()
      tar.add("folder", type: "5", mode: 0o755, modified: modified)
      tar.add("link", type: "2", modified: modified, link: "x")
      return try ImageFixture().convert([tar.finished()])
    }
    #expect(try image(1).rootHash == image(2).rootHash)
    var tar = TarWriter()
    tar.add("file", modified: 1)
    var other = TarWriter()
    other.add("file", modified: 2)
    let one = try ImageFixture().convert([tar.finished()])
    #expect(try one.rootHash != ImageFixture().convert([other.finished()]).rootHash)
  }

  /// Random trees, made by GNU tar on a real file system, come out as they went in.
  @Test(arguments: 1...6)
  func aRandomTreeComesOutAsItWentIn(_ seed: UInt64) throws {
    var random = Random(state: seed)
    let fixture = try ImageFixture()
    let source = "\(fixture.folder.path)/source"
    var folders = [source]
    try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
    var files: [String] = []
    for number in 0..<120 {
      let parent = folders[random.below(folders.count)]
      let name = "\(number)" + String(repeating: "é", count: random.below(60))
      let path = "\(parent)/\(name)"
      switch random.below(8) {
      case 0:
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        folders.append(path)
      case 1: try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: name)
      case 2 where !files.isEmpty:
        try FileManager.default.linkItem(atPath: files[random.below(files.count)], toPath: path)
      default:
        let size = random.below(random.below(3) == 0 ? 200_000 : 5000)
        let byte = UInt8(random.below(256))
        try Data([UInt8](repeating: byte, count: size)).write(to: URL(fileURLWithPath: path))
        files.append(path)
      }
    }
    let format = ["gnu", "pax"][random.below(2)]
    let tar = try Command.run(["tar", "-C", source, "--format=\(format)", "-c", "."])
    let image = try fixture.convert([tar], packing: .gzip)
    let extracted = try fixture.extract(image)
    for name in ["dev", "proc", "sys", "etc"] {
      try FileManager.default.removeItem(atPath: "\(extracted)/\(name)")
    }
    _ = try Command.run(["diff", "-r", "--no-dereference", source, extracted])
    // The same tree, handed in as a folder in which an engine has already been at work.
    for folder in ["dev/pts", "proc", "sys", "etc"] {
      try FileManager.default.createDirectory(
        atPath: "\(source)/\(folder)", withIntermediateDirectories: true)
    }
    for file in ["dev/console", "etc/hosts", "etc/resolv.conf", ".dockerenv"] {
      try Data("engine".utf8).write(to: URL(fileURLWithPath: "\(source)/\(file)"))
    }
    #expect(try fixture.store.prepare(folder: source).rootHash == image.rootHash)
    // A second time it is found, and a change is seen.
    #expect(try fixture.store.prepare(folder: source).rootHash == image.rootHash)
    try Data("more".utf8).write(to: URL(fileURLWithPath: "\(source)/added"))
    #expect(try fixture.store.prepare(folder: source).rootHash != image.rootHash)
  }
}

/// A small repeatable generator (splitmix64).
private struct Random {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((mixed ^ (mixed >> 31)) % UInt64(max(1, bound)))
  }
}
