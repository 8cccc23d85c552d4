import ArcaBytes
import ArcaManifest
import Testing

/// The fields that are left out where they ask for nothing.
@Suite struct SecretsTests {
  static let sample: WorkloadManifest = {
    var manifest = ManifestTests.sample
    manifest.rootFilesystem.encryptionKey = "kbs:///default/key/root"
    manifest.hostMay.execute = true
    manifest.hostMay.writeFiles = ["/etc/hosts", "/run/secrets/*"]
    manifest.hostMay.shareFolders = ["/data"]
    manifest.keyBroker = KeyBrokerAccess(
      url: "https://broker.example:8080/x", publicKeys: [[UInt8](repeating: 7, count: 32)])
    manifest.secrets = [
      Secret(
        resource: "kbs:///default/key/db", target: .file(path: "/s", mode: 0o400, uid: 1, gid: 2)),
      Secret(resource: "kbs:///default/key/api", target: .variable("API_KEY")),
    ]
    manifest.volumes = [
      EncryptedVolume(name: "data-1", destination: "/var/data", key: "kbs:///default/volume/data")
    ]
    manifest.hasNetwork = true
    manifest.workloadMay.getEvidence = true
    manifest.workloadMay.getResources = ["default/key/*"]
    return manifest
  }()

  @Test func everyFieldComesBack() throws {
    #expect(try WorkloadManifest(decoding: Self.sample.encoded()) == Self.sample)
  }

  /// A bit changed anywhere is refused or read as another manifest.
  @Test func noChangedBitGoesUnnoticed() {
    let encoded = Self.sample.encoded()
    for index in encoded.indices {
      var changed = encoded
      changed[index] ^= 1
      let read = try? WorkloadManifest(decoding: changed)
      #expect(read != Self.sample)
    }
  }

  private func refused(
    _ code: ManifestError.Code, _ field: String, _ change: (inout WorkloadManifest) -> Void,
    location: SourceLocation = #_sourceLocation
  ) {
    expectRefusal(of: Self.sample, code, field, change, location)
  }

  @Test func brokerBounds() {
    for url in [
      "http://a", "https://", "https://a:0", "https://a:65536", "https://a:", "https://a b",
      "https://a?x", "https://a/b#c", "https://[::1", "https://[g]", "https://a_b", "https://é",
    ] { refused(.value, "keyBroker.url") { $0.keyBroker?.url = url } }
    refused(.value, "keyBroker.publicKeys") { $0.keyBroker?.publicKeys = [] }
    refused(.value, "keyBroker.publicKeys") { $0.keyBroker?.publicKeys = [[1]] }
    refused(.value, "keyBroker.publicKeys") {
      $0.keyBroker?.publicKeys = [[UInt8]](repeating: [UInt8](repeating: 1, count: 32), count: 5)
    }
  }

  @Test func whatNeedsABrokerNamesOne() {
    refused(.missing, "keyBroker") { $0.keyBroker = nil }
    var manifest = ManifestTests.sample
    manifest.workloadMay.getEvidence = true
    #expect((try? WorkloadManifest(decoding: manifest.encoded())) == manifest)
  }

  @Test func secretBounds() {
    for uri in [
      "kbs://host/a/b/c", "kbs:///a/b", "kbs:///a/b/c/d", "kbs:///a//c", "kbs:///a/../c",
      "kbs:///a/b/c?d", "kbs:///a/b/%41", "http:///a/b/c", "",
    ] {
      refused(.value, "secrets.resource") { $0.secrets[0].resource = uri }
      refused(.value, "volumes.key") { $0.volumes[0].key = uri }
      refused(.value, "rootFilesystem.encryptionKey") { $0.rootFilesystem.encryptionKey = uri }
    }
    for name in ["", "A=B"] {
      refused(.value, "secrets.env") { $0.secrets[1].target = .variable(name) }
    }
    for path in ["", "/", "s", "/a/../b"] {
      refused(.value, "secrets.path") {
        $0.secrets[0].target = .file(path: path, mode: 0, uid: 0, gid: 0)
      }
    }
    refused(.value, "secrets.mode") {
      $0.secrets[0].target = .file(path: "/s", mode: 0o1000, uid: 0, gid: 0)
    }
    refused(.value, "secrets") { $0.secrets = [Secret](repeating: $0.secrets[1], count: 65) }
  }

  @Test func volumeAndRuleBounds() {
    for name in ["", "-a", "A", "a/b", String(repeating: "a", count: 64)] {
      refused(.value, "volumes.name") { $0.volumes[0].name = name }
    }
    refused(.value, "volumes.destination") { $0.volumes[0].destination = "/" }
    for path in ["etc", "/a/../*", "*", "/a//b"] {
      refused(.value, "hostMay.writeFiles") { $0.hostMay.writeFiles = [path] }
    }
    refused(.value, "hostMay.shareFolders") { $0.hostMay.shareFolders = ["x"] }
  }

  /// One manifest, one encoding: a default that is written out is refused.
  @Test func writtenDefaultsAreRefused() throws {
    guard case .map(let entries) = try CBOR.decode(ManifestTests.sample.encoded()) else {
      Issue.record("the manifest is not a map")
      return
    }
    let none = CBOR.array([])
    let permissions = CBOR.map([
      CBOR.Entry(Array("getEvidence".utf8), .bool(false)),
      CBOR.Entry(Array("getToken".utf8), .bool(false)),
      CBOR.Entry(Array("getResources".utf8), none),
    ])
    for (key, value) in [
      ("network", CBOR.bool(false)), ("secrets", none), ("volumes", none),
      ("workloadMay", permissions),
    ] {
      let more = entries + [CBOR.Entry(Array(key.utf8), value)]
      let error = #expect(throws: ManifestError.self) {
        try WorkloadManifest(decoding: CBOR.map(more).encoded())
      }
      #expect(error?.code == .value)
    }
  }

  @Test func addressesAreTakenApart() {
    let v6 = BrokerAddress(url: "https://[2001:db8::1]:8443/")
    #expect(v6?.host == Array("2001:db8::1".utf8))
    #expect(v6?.port == 8443)
    #expect(v6?.prefix == [])
    let name = BrokerAddress(url: "https://kbs.example/a/b")
    #expect(name?.host == Array("kbs.example".utf8))
    #expect(name?.port == 443)
    #expect(name?.prefix == Array("/a/b".utf8))
    #expect(ResourceURI.path("kbs:///a/b/c") == Array("a/b/c".utf8))
  }
}

/// Expects `sample` to be refused for `field` once it has been changed.
func expectRefusal(
  of sample: WorkloadManifest, _ code: ManifestError.Code, _ field: String,
  _ change: (inout WorkloadManifest) -> Void, _ location: SourceLocation
) {
  var manifest = sample
  change(&manifest)
  let error = #expect(throws: ManifestError.self, sourceLocation: location) {
    try WorkloadManifest(decoding: manifest.encoded())
  }
  #expect(error?.code == code, sourceLocation: location)
  #expect(error?.field == Array(field.utf8), sourceLocation: location)
}
