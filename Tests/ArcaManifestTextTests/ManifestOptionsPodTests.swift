import ArcaManifest
import ArcaManifestText
import Testing

/// The texts of options and of an engine's annotations.
@Suite struct ManifestOptionsPodTests {
  @Test func membersAndTheirPortsAreRead() throws {
    var options = ManifestOptions()
    try options.setPod(
      members: ["db=6379,9000", "app=80", "job"], name: "app", key: "kbs:///a/b/c")
    #expect(
      options.pod == Pod(place: 1, ports: [[6379, 9000], [80], []], key: "kbs:///a/b/c"))
  }

  @Test(arguments: [
    ["app", "app=80"], ["app=", "db"], ["app=80,", "db"], ["app=x", "db"], ["app=65536", "db"],
    ["=80", "app"], ["app=80=81", "db"], ["db", "web"], [],
  ])
  func otherTextsAreRefused(members: [String]) {
    var options = ManifestOptions()
    let error = #expect(throws: ManifestTextError.self) {
      try options.setPod(members: members, name: "app", key: nil)
    }
    #expect(error?.code == .invalidOption)
  }
}
