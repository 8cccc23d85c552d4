import ArcaImage
import ArcaTestSupport
import Foundation
import Testing

@Suite struct LayerMergeTests {
  @Test func aWhiteoutRemovesWhatLowerLayersHaveAndNothingOfItsOwn() throws {
    let fixture = try ImageFixture()
    let lower = layer([("a/keep", "1"), ("a/gone", "2"), ("b/c/d", "3")])
    let upper = layer([("a/new", "4"), ("a/.wh.gone", ""), (".wh.b", ""), ("b/e", "5")])
    let image = try fixture.convert([lower, upper])
    #expect(
      try fixture.contents(image) == ["a": "/", "a/keep": "1", "a/new": "4", "b": "/", "b/e": "5"])
  }

  @Test func anOpaqueMarkerEmptiesAFolderWhereverItStandsInItsLayer() throws {
    let fixture = try ImageFixture()
    let lower = layer([("a/x", "1"), ("a/y/z", "2")])
    let upper = layer([("a/new", "3"), ("a/.wh..wh..opq", "")])
    #expect(try fixture.contents(try fixture.convert([lower, upper])) == ["a": "/", "a/new": "3"])
  }

  @Test func bookkeepingOfAufsIsPassedOver() throws {
    let fixture = try ImageFixture()
    let image = try fixture.convert([layer([("a", "1"), (".wh..wh.plnk", ""), (".wh.none", "")])])
    #expect(try fixture.contents(image) == ["a": "1"])
  }

  @Test func anEntryMayReplaceOneOfAnotherType() throws {
    let fixture = try ImageFixture()
    var lower = TarWriter()
    lower.add("file-to-folder", content: Array("1".utf8))
    lower.add("folder-to-file/inside", content: Array("2".utf8))
    lower.add("link-to-folder", type: "2", link: "folder-to-file")
    lower.add("twice", content: Array("first".utf8))
    lower.add("twice", content: Array("second".utf8))
    var upper = TarWriter()
    upper.directory("file-to-folder")
    upper.add("file-to-folder/inside", content: Array("3".utf8))
    upper.add("folder-to-file", content: Array("4".utf8))
    upper.directory("link-to-folder")
    upper.add("link-to-folder/inside", content: Array("5".utf8))
    let image = try fixture.convert([lower.finished(), upper.finished()])
    #expect(
      try fixture.contents(image) == [
        "file-to-folder": "/", "file-to-folder/inside": "3", "folder-to-file": "4",
        "link-to-folder": "/", "link-to-folder/inside": "5", "twice": "second",
      ])
  }

  @Test func aHardLinkReachesIntoLowerLayersAndSurvivesTheirReplacement() throws {
    let fixture = try ImageFixture()
    let lower = layer([("a", "old")])
    var upper = TarWriter()
    upper.add("b", type: "1", link: "a")
    upper.add("c", type: "1", link: "./b")
    upper.add("a", content: Array("new".utf8))
    let image = try fixture.convert([lower, upper.finished()])
    #expect(try fixture.contents(image) == ["a": "new", "b": "old", "c": "old"])
    #expect(try fixture.describe("/a", in: image).contains("Links: 1 "))
    #expect(try fixture.describe("/b", in: image).contains("Links: 2 "))
  }

  @Test(arguments: ["/absolute", "../escape", "a/../../b", "a/..", "..", "a/\u{0}b"])
  func aPathThatCouldLeaveTheImageIsRefused(_ path: String) throws {
    var tar = TarWriter()
    tar.add("fine", content: [1])
    tar.add("x", content: [2], records: [("path", Array(path.utf8))])
    #expect(try ImageFixture().refusal(of: [tar.finished()]) == .unsafePath)
  }

  @Test func aPathThroughALinkIsRefused() throws {
    var tar = TarWriter()
    tar.add("link", type: "2", link: "/etc")
    tar.add("link/passwd", content: [1])
    #expect(try ImageFixture().refusal(of: [tar.finished()]) == .unsafePath)
    var lower = TarWriter()
    lower.add("link", type: "2", link: "../../etc")
    let upper = layer([("link/passwd", "x")])
    #expect(try ImageFixture().refusal(of: [lower.finished(), upper]) == .unsafePath)
  }

  @Test(arguments: ["missing", "../etc/passwd", "/etc/passwd", "folder", "link/x"])
  func aHardLinkToWhatIsNotAFileOfTheImageIsRefused(_ target: String) throws {
    var tar = TarWriter()
    tar.directory("folder")
    tar.add("link", type: "2", link: "folder")
    tar.add("folder/x", content: [1])
    tar.add("hard", type: "1", link: target)
    #expect(try ImageFixture().refusal(of: [tar.finished()]) == .unsafePath)
  }

  @Test(arguments: [".wh.", ".wh..", "a/.wh..."])
  func aWhiteoutOfNoNameIsRefused(_ path: String) throws {
    #expect(try ImageFixture().refusal(of: [layer([("a/b", "1"), (path, "")])]) == .unsafePath)
  }

  @Test func aLinkTargetIsDataAndKeptAsItIs() throws {
    let fixture = try ImageFixture()
    var tar = TarWriter()
    tar.add("absolute", type: "2", link: "/etc/../../x")
    tar.add("long", type: "2", link: String(repeating: "d/", count: 1500) + "end")
    let root = try fixture.extract(try fixture.convert([tar.finished()]))
    let targets = try Command.run(["readlink", "\(root)/absolute", "\(root)/long"])
    #expect(
      String(decoding: targets, as: UTF8.self)
        == "/etc/../../x\n" + String(repeating: "d/", count: 1500) + "end\n")
  }

  @Test func aLimitOnEntriesHolds() throws {
    var limits = ImageLimits()
    limits.entriesMax = 3
    let layers = [layer([("a", ""), ("b", "")]), layer([("c", ""), ("d", "")])]
    #expect(try ImageFixture(limits: limits).refusal(of: layers) == .limitExceeded)
    limits.entriesMax = 4
    #expect(try ImageFixture(limits: limits).refusal(of: layers) == nil)
  }
}
