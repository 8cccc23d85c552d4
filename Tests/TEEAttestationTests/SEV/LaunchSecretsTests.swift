import ArcaBytes
import TEEAttestation
import TEEEvidence
import Testing

/// The file tree of efi_secret as Linux implements it (drivers/virt/coco/efi_secret/efi_secret.c):
/// a file for each entry of the table in memory; to unlink one wipes its content there.
private struct SecretTree: TSMFiles {
  struct Failure: Error, Equatable { let errno: Int32 }

  static let root = "/security"
  /// The memory behind the files, by path.
  private(set) var memory: [String: [UInt8]] = [:]
  private var names: Set<String> = []
  var refusesToRemove = false

  init(_ entries: [(guid: [UInt8], content: [UInt8])]) {
    for entry in entries {
      let bytes = entry.guid.prefix(8)
      let first = bytes[0..<4].reversed() + bytes[4..<6].reversed() + bytes[6..<8].reversed()
      let text = Hex.encode(Array(first) + Array(entry.guid[8...]))
      var name = ""
      for (index, digit) in text.enumerated() {
        if [8, 12, 16, 20].contains(index) { name += "-" }
        name.append(digit)
      }
      memory["\(Self.root)/secrets/coco/\(name)"] = entry.content
    }
    names = Set(memory.keys)
  }

  mutating func makeFolder(_ path: String) throws(Failure) { throw Failure(errno: 1) }
  mutating func removeFolder(_ path: String) throws(Failure) { throw Failure(errno: 1) }
  mutating func write(_ path: String, _ content: [UInt8]) throws(Failure) {
    throw Failure(errno: 13)
  }

  mutating func removeFile(_ path: String) throws(Failure) {
    guard !refusesToRemove else { throw Failure(errno: 5) }
    guard names.remove(path) != nil else { throw Failure(errno: 2) }
    memory[path] = memory[path]?.map { _ in 0 }
  }

  mutating func read(_ path: String, bytesMax: Int) throws(Failure) -> [UInt8] {
    guard names.contains(path), let content = memory[path] else { throw Failure(errno: 2) }
    return Array(content.prefix(bytesMax))
  }
}

@Suite("Secrets that came with a launch")
struct LaunchSecretsTests {
  private let one = Array("one".utf8)
  private let entry = SEVSecretTable.entry(ofResources: [
    ("default/app/b", Array("two".utf8)), ("default/a/b", Array("one".utf8)),
  ])

  @Test("The bytes of the entry, and where it stands in the table")
  func knownAnswer() {
    #expect(
      Hex.encode(entry.guid + entry.content)
        == "da759937650ff74ea5a382666c490eee"
        + "a26b64656661756c742f612f62436f6e656d64656661756c742f6170702f624374776f")
    let table = SEVSecretTable.encoded([entry])
    #expect(table.count == 80)
    #expect(Hex.encode(table[..<40]).hasPrefix("42f5741edd71664d963eef4287ff173b"))
    #expect(table[16..<20] == [75, 0, 0, 0])
    #expect(Array(table[20..<36]) == entry.guid)
    #expect(table[36..<40] == [55, 0, 0, 0])
  }

  @Test("What is taken is gone from memory, and other entries stay")
  func take() throws {
    let other = (guid: [UInt8](1...16), content: one)
    var tree = SecretTree([entry, other])
    let content = try LaunchSecrets.take(at: SecretTree.root, &tree)
    #expect(content == entry.content)
    let left = tree.memory.values.filter { $0.contains { $0 != 0 } }
    #expect(left == [one])
    let secrets = try LaunchSecrets(decoding: content)
    #expect(secrets[Array("default/a/b".utf8)] == one)
    #expect(secrets[Array("default/app/b".utf8)] == Array("two".utf8))
    #expect(secrets[Array("default/app/".utf8)] == nil)
    #expect(throws: SecretTree.Failure(errno: 2)) {
      _ = try LaunchSecrets.take(at: SecretTree.root, &tree)
    }
  }

  @Test("Without an entry, or where it cannot be wiped, there are no secrets")
  func absent() {
    var empty = SecretTree([([UInt8](1...16), one)])
    #expect(throws: SecretTree.Failure(errno: 2)) {
      _ = try LaunchSecrets.take(at: SecretTree.root, &empty)
    }
    var stuck = SecretTree([entry])
    stuck.refusesToRemove = true
    #expect(throws: SecretTree.Failure(errno: 5)) {
      _ = try LaunchSecrets.take(at: SecretTree.root, &stuck)
    }
  }

  private func code(_ bytes: [UInt8]) -> EvidenceError.Code? {
    do {
      _ = try LaunchSecrets(decoding: bytes)
      return nil
    } catch {
      return error.code
    }
  }

  @Test("Content in any other form is refused, whatever its length")
  func form() throws {
    for (text, expected) in [
      ("", EvidenceError.Code.invalid), ("80", .invalid), ("43010203", .invalid),
      ("a1616101", .invalid), ("a16161f6", .invalid), ("a14161416b", .invalid),
      ("a26162410061614100", .invalid), ("a26161410061614100", .invalid),
      ("a1616141", .invalid), ("a0ff", .invalid), ("a0", nil), ("a161614100", nil),
    ] {
      #expect(code(try #require(Hex.decode(text))) == expected, "\(text)")
    }
    for count in 0..<entry.content.count {
      #expect(code(Array(entry.content.prefix(count))) == .invalid)
    }
    let room = LaunchSecrets.bytesMax - 6
    let full = CBOR.map([.init([0x61], .bytes([UInt8](repeating: 1, count: room)))]).encoded()
    #expect(full.count == LaunchSecrets.bytesMax)
    #expect(code(full) == nil)
    let more = CBOR.map([.init([0x61], .bytes([UInt8](repeating: 1, count: room + 1)))]).encoded()
    #expect(code(more) == .tooLarge)
    #expect(code([UInt8](repeating: 0, count: 1 << 20)) == .tooLarge)
  }

  @Test("GUIDs in memory have their first three groups turned round")
  func guid() {
    #expect(
      SEVSecretTable.guid("1e74f542-71dd-4d66-963e-ef4287ff173b").map { Hex.encode($0) }
        == "42f5741edd71664d963eef4287ff173b")
    for text in ["", "1e74f542", "1e74f542-71dd-4d66-963e-ef4287ff173", "g-71dd-4d66-963e-x"] {
      #expect(SEVSecretTable.guid(text) == nil)
    }
  }
}

@Suite("Launches of SEV-ES and SEV, verified")
struct SEVLaunchVerificationTests {
  private struct Launched {
    let evidence: SEVLaunchEvidence
    let session: SEVSession
    let anchors: TrustAnchors
  }

  private static let launched = Result {
    let platform = SimulatedSEVPlatform()
    let chain = try platform.chain().bytes
    let root = Array(chain.suffix(64 + 3 * 256))
    let anchors = try TrustAnchors.vendors.adding(simulatedSEVRoot: root)
    let session = try SEVSession(with: try SEVChain(chain, roots: anchors.sevRoots), policy: 0x0f)
    try platform.start(policy: 0x0f, certificate: session.certificate, session: session.blob)
    try platform.update([1, 2, 3])
    let blob = try platform.measure()
    let digest = try #require(
      Hex.decode("039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81"))
    return Launched(
      evidence: try SEVLaunchEvidence(
        policy: 0x0f, api: [1, 55, 21], digest: digest, blob: blob, chain: chain),
      session: session, anchors: anchors)
  }

  private func verdict(
    _ document: [UInt8], kind: TEEKind = .sevES, session: SEVSession? = nil,
    anchors: TrustAnchors, simulated: Bool = true
  ) -> Verdict {
    var policy = AppraisalPolicy.vendorOnly
    policy.dangerouslyAcceptSimulatedEvidence = simulated
    return Verifier(anchors: anchors).verdict(
      on: Evidence(kind: kind, document: document), with: Endorsements(session: session),
      under: policy, at: VerificationTime(unixSeconds: 1_790_000_000))
  }

  @Test("What the platform measured in the owner's session holds, and is called simulated")
  func holds() throws {
    let launched = try Self.launched.get()
    let document = launched.evidence.document
    let verdict = verdict(document, session: launched.session, anchors: launched.anchors)
    #expect(verdict.isTrusted)
    #expect(verdict.simulated)
    let claims = try #require(verdict.claims)
    #expect(claims.measurement == launched.evidence.digest)
    #expect(claims.tcb["build"] == 21)
    #expect(claims.debug == false && claims.migratable == false)
    #expect(
      self.verdict(
        document, session: launched.session, anchors: launched.anchors, simulated: false
      ).kind == .untrustedRoot)
    #expect(
      self.verdict(document, session: launched.session, anchors: .vendors).kind == .untrustedRoot)
    #expect(self.verdict(document, anchors: launched.anchors).kind == .undecided)
    #expect(
      self.verdict(document, kind: .sev, session: launched.session, anchors: launched.anchors).kind
        == .mismatch)
  }

  @Test("One changed bit of anything before the chain is refused")
  func mutations() throws {
    let launched = try Self.launched.get()
    for byte in 0..<87 {
      var document = launched.evidence.document
      document[byte] ^= 0x10
      let verdict = verdict(document, session: launched.session, anchors: launched.anchors)
      #expect(!verdict.isTrusted, "byte \(byte)")
      // The policy in the measurement is the session's own; another one shows by itself.
      #expect(verdict.kind == (byte < 4 ? .mismatch : .tampered), "byte \(byte)")
    }
    for count in [0, 1, 86, 87, 4000] {
      let short = Array(launched.evidence.document.prefix(count))
      #expect(
        verdict(short, session: launched.session, anchors: launched.anchors).kind == .malformed)
    }
  }

  @Test("Parts of another size are none of a launch")
  func sizes() {
    let zeros = { (count: Int) in [UInt8](repeating: 0, count: count) }
    for (api, digest, blob) in [(2, 32, 48), (3, 48, 48), (3, 32, 32)] {
      #expect(throws: AttestationError.self) {
        try SEVLaunchEvidence(
          policy: 0, api: zeros(api), digest: zeros(digest), blob: zeros(blob), chain: [])
      }
    }
  }

  @Test("A simulated root is one ARK and no more")
  func root() throws {
    let chain = try Self.launched.get().evidence.chain
    let root = Array(chain.suffix(64 + 3 * 256))
    for bytes in [[], Array(root.dropLast()), root + [0], Array(chain.suffix(2 * root.count))] {
      #expect(throws: AttestationError.self) {
        _ = try TrustAnchors.vendors.adding(simulatedSEVRoot: bytes)
      }
    }
  }
}
