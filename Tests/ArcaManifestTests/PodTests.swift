import ArcaBytes
import ArcaManifest
import Testing

/// The pod whose `localhost` a workload shares.
@Suite struct PodTests {
  static let sample: WorkloadManifest = {
    var manifest = SecretsTests.sample
    manifest.pod = Pod(place: 1, ports: [[6379, 9000], [8080], []], key: "kbs:///default/pod/key")
    return manifest
  }()

  @Test func everyFieldComesBack() throws {
    #expect(try WorkloadManifest(decoding: Self.sample.encoded()) == Self.sample)
    var clear = Self.sample
    clear.pod?.key = nil
    #expect(try WorkloadManifest(decoding: clear.encoded()) == clear)
  }

  private func refused(
    _ code: ManifestError.Code, _ field: String, _ change: (inout WorkloadManifest) -> Void,
    location: SourceLocation = #_sourceLocation
  ) {
    expectRefusal(of: Self.sample, code, field, change, location)
  }

  @Test func aPlaceIsOneOfTheMembers() {
    refused(.value, "pod.place") { $0.pod?.place = 3 }
    refused(.value, "pod.place") { $0.pod?.place = 8 }
    refused(.value, "pod.place") { $0.pod = Pod(place: 0, ports: [[80]]) }
    refused(.value, "pod.place") { $0.pod = Pod(place: 0, ports: []) }
    refused(.value, "pod.ports") {
      $0.pod?.ports = [[UInt16]](repeating: [], count: Pod.members.upperBound + 1)
    }
  }

  @Test func aPortHasOneServer() {
    refused(.value, "pod.ports") { $0.pod?.ports[0].append(8080) }
    refused(.value, "pod.ports") { $0.pod?.ports[0] = [80, 80] }
    refused(.value, "pod.ports") { $0.pod?.ports[0] = [0] }
    refused(.value, "pod.ports") { $0.pod?.ports[0] = Array(1...UInt16(Pod.portsMax + 1)) }
  }

  /// Numbers that no encoder of ours writes.
  @Test func aPortHasSixteenBits() throws {
    guard case .map(let entries) = try CBOR.decode(Self.sample.encoded()) else {
      Issue.record("the manifest is not a map")
      return
    }
    for port in [CBOR.unsigned(65_536), .text(Array("80".utf8)), .bool(true)] {
      let pod = CBOR.map([
        CBOR.Entry(Array("place".utf8), .unsigned(0)),
        CBOR.Entry(Array("ports".utf8), .array([.array([port]), .array([])])),
      ])
      let others = entries.filter { $0.key != Array("pod".utf8) }
      let encoded = CBOR.map(others + [CBOR.Entry(Array("pod".utf8), pod)]).encoded()
      let error = #expect(throws: ManifestError.self) { try WorkloadManifest(decoding: encoded) }
      #expect(error?.code == .value)
    }
  }

  @Test func whatItNeedsMustBeThere() {
    refused(.missing, "network") { $0.hasNetwork = false }
    refused(.value, "pod.key") { $0.pod?.key = "kbs:///a" }
    var manifest = ManifestTests.sample
    manifest.hasNetwork = true
    manifest.pod = Self.sample.pod
    #expect(manifest.needsKeyBroker)
    #expect(throws: ManifestError.self) { try WorkloadManifest(decoding: manifest.encoded()) }
  }
}
