import ArcaManifest
import ArcaManifestText
import Testing

/// The texts of options and of an engine's annotations.
@Suite struct ManifestOptionsSecretsTests {
  private let pin = String(repeating: "ab", count: 32)

  @Test func aBrokerAndItsSecretsAreRead() throws {
    var options = ManifestOptions()
    try options.setKeyBroker(
      url: "https://kbs.example", pins: [pin],
      secrets: [
        "kbs:///a/b/c:/run/key:mode=0440,uid=1,gid=2", "kbs:///a/b/d:TOKEN", "kbs:///a/b/e:/x",
      ])
    #expect(options.keyBroker?.url == "https://kbs.example")
    #expect(options.keyBroker?.publicKeys == [[UInt8](repeating: 0xab, count: 32)])
    #expect(
      options.secrets == [
        Secret(
          resource: "kbs:///a/b/c", target: .file(path: "/run/key", mode: 0o440, uid: 1, gid: 2)),
        Secret(resource: "kbs:///a/b/d", target: .variable("TOKEN")),
        Secret(resource: "kbs:///a/b/e", target: .file(path: "/x", mode: 0o400, uid: 0, gid: 0)),
      ])
  }

  @Test(arguments: [
    "", "kbs:///a/b/c", "kbs:///a/b/c:", "http://a/b/c:/x", "kbs:///a/b/c:/x:mode=9",
    "kbs:///a/b/c:/x:color=1", "kbs:///a/b/c:NAME:mode=0400",
  ])
  func otherTextsAreRefused(text: String) {
    var options = ManifestOptions()
    let error = #expect(throws: ManifestTextError.self) {
      try options.setKeyBroker(url: "https://kbs.example", pins: [pin], secrets: [text])
    }
    #expect(error?.code == .invalidOption)
  }

  /// podman takes no annotation of 64 bytes for a pod.
  @Test func aPinMayBeBase64() throws {
    var options = ManifestOptions()
    try options.setKeyBroker(
      url: "https://kbs.example", pins: ["q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="],
      secrets: [])
    #expect(options.keyBroker?.publicKeys == [[UInt8](repeating: 0xab, count: 32)])
  }

  @Test func aPinIsADigest() {
    var options = ManifestOptions()
    for pin in ["", "ab", pin + "00", "x" + pin.dropFirst()] {
      #expect(throws: ManifestTextError.self) {
        try options.setKeyBroker(url: "https://kbs.example", pins: [pin], secrets: [])
      }
    }
  }
}
