import ArcaBytes
import ArcaManifest
import Testing

@Suite struct ManifestTests {
  /// A manifest with every field filled.
  static let sample = WorkloadManifest(
    rootFilesystem: RootFilesystem(
      rootHash: [UInt8](repeating: 0xaa, count: 32), salt: [0xbb], dataBlocks: 3,
      hashStartBlock: 4, writableBytes: 4096),
    process: WorkloadProcess(
      args: ["/a"], env: ["A=b"], cwd: "/", uid: 1, gid: 2, additionalGids: [3], umask: 0o022,
      capabilities: 0x20, rlimits: [ResourceLimit(resource: 7, soft: 8, hard: 9)],
      noNewPrivileges: true, stopSignal: 15),
    hostname: "h", mounts: [TemporaryMount(destination: "/t", sizeBytes: 10, mode: 0o700)],
    hostMay: HostRules(
      replaceArgs: true, setEnv: ["X*", "LANG"], setHostname: true, attachTerminal: true,
      sendInput: true, receiveOutput: true))

  /// The encoding of ``sample``: shorter keys first, then bytewise (RFC 8949, section 4.2.1).
  static let hex = [
    "a6",  // map of six
    "66" + "6d6f756e7473" + "81" + "a3",  // "mounts": one of three fields
    "64" + "6d6f6465" + "1901c0",  // "mode": 0o700
    "69" + "73697a654279746573" + "0a",  // "sizeBytes": 10
    "6b" + "64657374696e6174696f6e" + "62" + "2f74",  // "destination": "/t"
    "67" + "686f73744d6179" + "a6",  // "hostMay": six fields
    "66" + "736574456e76" + "82" + "62582a" + "644c414e47",  // "setEnv": ["X*", "LANG"]
    "69" + "73656e64496e707574" + "f5",  // "sendInput": true
    "6b" + "7265706c61636541726773" + "f5",  // "replaceArgs": true
    "6b" + "736574486f73746e616d65" + "f5",  // "setHostname": true
    "6d" + "726563656976654f7574707574" + "f5",  // "receiveOutput": true
    "6e" + "6174746163685465726d696e616c" + "f5",  // "attachTerminal": true
    "67" + "70726f63657373" + "ab",  // "process": eleven fields
    "63" + "637764" + "61" + "2f",  // "cwd": "/"
    "63" + "656e76" + "81" + "63" + "413d62",  // "env": ["A=b"]
    "63" + "676964" + "02",  // "gid": 2
    "63" + "756964" + "01",  // "uid": 1
    "64" + "61726773" + "81" + "62" + "2f61",  // "args": ["/a"]
    "65" + "756d61736b" + "12",  // "umask": 0o022
    "67" + "726c696d697473" + "81" + "a3",  // "rlimits": one of three fields
    "64" + "68617264" + "09",  // "hard": 9
    "64" + "736f6674" + "08",  // "soft": 8
    "68" + "7265736f75726365" + "07",  // "resource": 7
    "6a" + "73746f705369676e616c" + "0f",  // "stopSignal": 15
    "6c" + "6361706162696c6974696573" + "1820",  // "capabilities": 0x20
    "6e" + "6164646974696f6e616c47696473" + "81" + "03",  // "additionalGids": [3]
    "6f" + "6e6f4e657750726976696c65676573" + "f5",  // "noNewPrivileges": true
    "67" + "76657273696f6e" + "01",  // "version": 1
    "68" + "686f73746e616d65" + "61" + "68",  // "hostname": "h"
    "6e" + "726f6f7446696c6573797374656d" + "a5",  // "rootFilesystem": five fields
    "64" + "73616c74" + "41" + "bb",  // "salt"
    "68" + "726f6f7448617368" + "5820" + String(repeating: "aa", count: 32),  // "rootHash"
    "6a" + "64617461426c6f636b73" + "03",  // "dataBlocks": 3
    "6d" + "7772697461626c654279746573" + "191000",  // "writableBytes": 4096
    "6e" + "686173685374617274426c6f636b" + "04",  // "hashStartBlock": 4
  ].joined()

  @Test func everyFieldHasItsBytes() throws {
    #expect(Hex.encode(Self.sample.encoded()) == Self.hex)
    #expect(try WorkloadManifest(decoding: Self.sample.encoded()) == Self.sample)
    #expect(Self.sample.digest == ManifestDigest.sha256(Self.sample.encoded()))
  }

  /// Refused when ``sample`` is changed by `change`, with the code and the field named.
  func refused(
    _ code: ManifestError.Code, _ field: String, _ change: (inout WorkloadManifest) -> Void,
    _ location: SourceLocation = #_sourceLocation
  ) {
    var manifest = Self.sample
    change(&manifest)
    let error = #expect(throws: ManifestError.self, sourceLocation: location) {
      try WorkloadManifest(decoding: manifest.encoded())
    }
    #expect(error?.code == code, sourceLocation: location)
    #expect(
      error.map { String(decoding: $0.field, as: UTF8.self) } == field, sourceLocation: location)
  }

  func accepted(_ change: (inout WorkloadManifest) -> Void) throws {
    var manifest = Self.sample
    change(&manifest)
    #expect(try WorkloadManifest(decoding: manifest.encoded()) == manifest)
  }

  @Test func rootFilesystemBounds() throws {
    refused(.value, "rootFilesystem.rootHash") { $0.rootFilesystem.rootHash.removeLast() }
    refused(.value, "rootFilesystem.rootHash") { $0.rootFilesystem.rootHash.append(0) }
    refused(.value, "rootFilesystem.salt") {
      $0.rootFilesystem.salt = [UInt8](repeating: 0, count: 257)
    }
    refused(.value, "rootFilesystem.dataBlocks") { $0.rootFilesystem.dataBlocks = 0 }
    refused(.value, "rootFilesystem.dataBlocks") { $0.rootFilesystem.dataBlocks = 1 << 40 + 1 }
    refused(.value, "rootFilesystem.hashStartBlock") { $0.rootFilesystem.hashStartBlock = 2 }
    refused(.value, "rootFilesystem.hashStartBlock") {
      $0.rootFilesystem.hashStartBlock = 1 << 41 + 1
    }
    refused(.value, "rootFilesystem.writableBytes") {
      $0.rootFilesystem.writableBytes = 1 << 50 + 1
    }
    try accepted { $0.rootFilesystem.salt = [UInt8](repeating: 0, count: 256) }
    try accepted { $0.rootFilesystem.hashStartBlock = 3 }
    try accepted { $0.rootFilesystem.writableBytes = 0 }
  }

  @Test func processBounds() throws {
    refused(.value, "process.args") { $0.process.args = [] }
    refused(.value, "process.args") { $0.process.args = [""] }
    refused(.value, "process.args") { $0.process.args = ["a\0b"] }
    refused(.value, "process.args") { $0.process.args = [String](repeating: "a", count: 4097) }
    refused(.value, "process.args") { $0.process.args = [String(repeating: "a", count: 131_072)] }
    refused(.value, "process.env") { $0.process.env = ["=b"] }
    refused(.value, "process.env") { $0.process.env = ["A"] }
    for path in ["", "a", "/a/", "//a", "/a/../b", "/.", "/a/./b"] {
      refused(.value, "process.cwd") { $0.process.cwd = path }
    }
    refused(.value, "process.uid") { $0.process.uid = .max }
    refused(.value, "process.gid") { $0.process.gid = .max }
    refused(.value, "process.additionalGids") { $0.process.additionalGids = [.max] }
    refused(.value, "process.umask") { $0.process.umask = 0o1000 }
    refused(.value, "process.stopSignal") { $0.process.stopSignal = 0 }
    refused(.value, "process.stopSignal") { $0.process.stopSignal = 65 }
    refused(.value, "process.rlimits.resource") { $0.process.rlimits[0].resource = 16 }
    refused(.value, "process.rlimits.soft") { $0.process.rlimits[0].soft = 10 }
    refused(.value, "process.rlimits") {
      $0.process.rlimits = [ResourceLimit](repeating: $0.process.rlimits[0], count: 17)
    }
    refused(.value, "process.ambientCapabilities") { $0.process.ambientCapabilities = 0x30 }
    try accepted { $0.process.ambientCapabilities = 0x20 }
    try accepted { $0.process.cwd = "/..a/b..c" }
    try accepted { $0.process.uid = .max - 1 }
    try accepted { $0.process.env = ["A==", "A="] }
  }

  @Test func mountAndNameBounds() throws {
    for path in ["/", "t", "/a/..", ""] {
      refused(.value, "mounts.destination") { $0.mounts[0].destination = path }
    }
    refused(.value, "mounts.sizeBytes") { $0.mounts[0].sizeBytes = 0 }
    refused(.value, "mounts.sizeBytes") { $0.mounts[0].sizeBytes = 1 << 50 + 1 }
    refused(.value, "mounts.mode") { $0.mounts[0].mode = 0o10000 }
    refused(.value, "mounts") {
      $0.mounts = [TemporaryMount](repeating: $0.mounts[0], count: 65)
    }
    refused(.value, "hostname") { $0.hostname = String(repeating: "h", count: 65) }
    try accepted { $0.hostname = String(repeating: "h", count: 64) }
    try accepted { $0.mounts = [] }
  }

  @Test func everyFieldIsRequiredAndNoOtherIsKnown() throws {
    let value = try CBOR.decode(Self.sample.encoded())
    guard case .map(let entries) = value else {
      Issue.record("the manifest is not a map")
      return
    }
    for index in entries.indices {
      var fewer = entries
      fewer.remove(at: index)
      let error = #expect(throws: ManifestError.self) {
        try WorkloadManifest(decoding: CBOR.map(fewer).encoded())
      }
      #expect(error?.code == .missing)
      #expect(error?.field == entries[index].key)
    }
    let extra = entries + [CBOR.Entry(Array("zz".utf8), .null)]
    let unknown = #expect(throws: ManifestError.self) {
      try WorkloadManifest(decoding: CBOR.map(extra).encoded())
    }
    #expect(unknown?.code == .unknown)
    for index in entries.indices {
      var other = entries
      other[index] = CBOR.Entry(entries[index].key, .null)
      let error = #expect(throws: ManifestError.self) {
        try WorkloadManifest(decoding: CBOR.map(other).encoded())
      }
      #expect(error?.code == .type)
    }
  }

  @Test func otherVersionsAndEncodingsAreRefused() {
    let next = Self.hex.replacing("6776657273696f6e01", with: "6776657273696f6e02")
    let cases: [(String, ManifestError.Code)] = [
      (next, .version), ("", .encoding), ("80", .type), (Self.hex + "00", .encoding),
      (String(Self.hex.dropLast(2)), .encoding),
    ]
    for (hex, code) in cases {
      let error = #expect(throws: ManifestError.self) {
        try WorkloadManifest(decoding: Hex.decode(hex) ?? [])
      }
      #expect(error?.code == code)
    }
    let large = [UInt8](repeating: 0, count: WorkloadManifest.bytesMax + 1)
    #expect(throws: ManifestError.self) { try WorkloadManifest(decoding: large) }
  }

  /// No single changed bit passes as the same manifest, and none traps.
  @Test func noChangedBitGoesUnnoticed() {
    let encoded = Self.sample.encoded()
    for index in encoded.indices {
      for bit in 0..<8 {
        var changed = encoded
        changed[index] ^= 1 << bit
        if let manifest = try? WorkloadManifest(decoding: changed) {
          #expect(manifest.digest != Self.sample.digest)
          #expect(manifest.encoded() == changed)
        }
      }
    }
  }
}
