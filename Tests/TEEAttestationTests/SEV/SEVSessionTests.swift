import ArcaBytes
import Crypto
import TEEAttestation
import Testing

@Suite("SEV sessions, as AMD 55766 defines them")
struct SEVSessionTests {
  private static let zeros = [UInt8](repeating: 0, count: 16)

  /// Values that virtee's implementation states for the same inputs.
  @Test("Derivation, wrapping and codes equal the published values")
  func knownAnswers() throws {
    #expect(
      Hex.encode(SEVSession.derive(Self.zeros, label: "sev-master-secret", context: Self.zeros))
        == "ab4d269fcc62bedb4511d56c386ce706")
    let session = try SEVSession(
      shared: Self.zeros, certificate: [], policy: 0, encryptionKey: Self.zeros,
      integrityKey: Self.zeros, nonce: Self.zeros, vector: Self.zeros)
    let blob = session.blob
    #expect(blob.count == 128)
    #expect(
      Hex.encode(blob[16..<48])
        == "2137bc7f9bb8bd7c3e55a576a15d3454b3856b8ba27afadf46dcfee9f02c02c4")
    #expect(
      Hex.encode(blob[64..<96])
        == "3176c0752738bd9d5e86689534020f528c088f16238826b000b327dee6aeed7d")
    #expect(
      Hex.encode(blob[96...])
        == "aa7855e13839dd767cd5da7c1ff5036540c9264b7a803029315e55375287b4af")
  }

  private struct Scene {
    let platform = SimulatedSEVPlatform()
    let owner: SEVSession
    let policy: UInt32 = 0x0f

    init() throws {
      let chain = try platform.chain()
      owner = try SEVSession(
        with: try SEVChain(chain.bytes, roots: [("test", chain.root)]), policy: 0x0f)
    }

    func started() throws -> Scene {
      try platform.start(policy: policy, certificate: owner.certificate, session: owner.blob)
      return self
    }
  }

  private func refusal(_ body: () throws -> Void) -> SimulatedSEVPlatform.Refusal? {
    do {
      try body()
      return nil
    } catch {
      return error as? SimulatedSEVPlatform.Refusal
    }
  }

  @Test("A launch in order brings the owner's secret into the guest")
  func launch() throws {
    let scene = try Scene().started()
    try scene.platform.update([1, 2, 3])
    let measured = try scene.platform.measure()
    let table = SEVSecretTable.encoded([([UInt8](repeating: 9, count: 16), Array("key".utf8))])
    let packet = try scene.owner.secret(table, measurement: Array(measured[..<32]))
    #expect(packet.ciphertext != table)
    try scene.platform.secret(header: packet.header, ciphertext: packet.ciphertext)
    #expect(scene.platform.injected == table)
    try scene.platform.finish()
    #expect(scene.platform.state == .running)
  }

  @Test("Each part of certificate and session is checked at the start")
  func wrongStart() throws {
    let scene = try Scene()
    func start(
      _ policy: UInt32 = 0x0f, certificate change: (inout [UInt8]) -> Void = { _ in },
      session alter: (inout [UInt8]) -> Void = { _ in }
    ) -> SimulatedSEVPlatform.Refusal? {
      var (certificate, session) = (scene.owner.certificate, scene.owner.blob)
      change(&certificate)
      alter(&session)
      return refusal {
        try scene.platform.start(policy: policy, certificate: certificate, session: session)
      }
    }
    #expect(start(0x0e) == .policyFailure)
    #expect(start(certificate: { $0[8] = 2 }) == .invalidCertificate)
    #expect(start(certificate: { $0[20] ^= 1 }) == .invalidCertificate)
    #expect(start(certificate: { $0.removeLast() }) == .invalidCertificate)
    #expect(start(session: { $0.removeLast() }) == .invalidLength)
    for part in [0, 16, 47, 64, 95] {
      #expect(start(session: { $0[part] ^= 1 }) == .badMeasurement, "byte \(part)")
    }
    // The vector is covered by no code of its own: other keys come out, which the policy's shows.
    #expect(start(session: { $0[48] ^= 1 }) != nil)
    for part in [96, 127] {
      #expect(start(session: { $0[part] ^= 1 }) == .policyFailure, "byte \(part)")
    }
    #expect(start() == nil)
    #expect(start() == .invalidGuestState)
  }

  @Test("A secret for another launch, or a changed one, is refused")
  func wrongSecret() throws {
    let scene = try Scene().started()
    let measured = Array(try scene.platform.measure()[..<32])
    let content = [UInt8](repeating: 1, count: 32)
    let packet = try scene.owner.secret(content, measurement: measured)
    for byte in 0..<52 {
      var header = packet.header
      header[byte] ^= 1
      #expect(
        refusal { try scene.platform.secret(header: header, ciphertext: packet.ciphertext) }
          == .badMeasurement, "byte \(byte)")
    }
    var ciphertext = packet.ciphertext
    ciphertext[31] ^= 1
    #expect(
      refusal { try scene.platform.secret(header: packet.header, ciphertext: ciphertext) }
        == .badMeasurement)
    let other = try scene.owner.secret(content, measurement: [UInt8](repeating: 0, count: 32))
    #expect(
      refusal { try scene.platform.secret(header: other.header, ciphertext: other.ciphertext) }
        == .badMeasurement)
    #expect(scene.platform.injected == [])
  }

  @Test("Commands out of order are refused")
  func order() throws {
    let scene = try Scene()
    #expect(refusal { try scene.platform.update([1]) } == .invalidGuestState)
    #expect(refusal { _ = try scene.platform.measure() } == .invalidGuestState)
    #expect(refusal { try scene.platform.finish() } == .invalidGuestState)
    _ = try scene.started()
    #expect(refusal { try scene.platform.finish() } == .invalidGuestState)
    #expect(
      refusal { try scene.platform.secret(header: [], ciphertext: []) } == .invalidGuestState)
    _ = try scene.platform.measure()
    #expect(refusal { try scene.platform.update([1]) } == .invalidGuestState)
    #expect(refusal { try scene.platform.secret(header: [], ciphertext: []) } == .invalidLength)
  }

  @Test("What is to be packed has its bounds")
  func bounds() throws {
    let owner = try SEVSession(encryptionKey: Self.zeros, integrityKey: Self.zeros, policy: 0)
    for (content, measurement) in [(0, 32), (15, 32), (16400, 32), (16, 31)] {
      do {
        _ = try owner.secret(
          [UInt8](repeating: 0, count: content),
          measurement: [UInt8](repeating: 0, count: measurement))
        Issue.record("\(content) bytes for a measurement of \(measurement) were accepted")
      } catch {
        #expect(error.code == .malformed)
      }
    }
  }
}

@Suite("SEV chains")
struct SEVChainTests {
  private static let scene = Result { try SimulatedSEVPlatform().chain() }

  private func code(_ bytes: [UInt8], root: [UInt8]) -> AttestationError.Code? {
    do {
      _ = try SEVChain(bytes, roots: [("test", root)])
      return nil
    } catch {
      return error.code
    }
  }

  @Test("A whole chain holds; AMD's own roots are another matter")
  func whole() throws {
    let chain = try Self.scene.get()
    #expect(code(chain.bytes, root: chain.root) == nil)
    #expect(code(chain.bytes, root: [UInt8](repeating: 0, count: 32)) == .invalidKey)
    #expect(throws: AttestationError.self) { try SEVChain(chain.bytes) }
    #expect(SEVChain.roots.allSatisfy { $0.sha256.count == 32 })
  }

  @Test("One changed bit in any certificate's key or signature is refused")
  func mutations() throws {
    let chain = try Self.scene.get()
    let size = SEVCertificate.byteCount
    // Keys, first signatures and, for the PEK, the second one.
    var places = (0..<4).flatMap { [$0 * size + 20, $0 * size + 0x414 + 10] }
    places += [size + 0x414 + 520 + 10, 4 * size + 400, chain.bytes.count - 10, 4 * size + 600]
    for place in places {
      var bytes = chain.bytes
      bytes[place] ^= 1
      #expect(code(bytes, root: chain.root) != nil, "byte \(place)")
    }
  }

  @Test("Certificates in another order, or cut short, are refused")
  func form() throws {
    let chain = try Self.scene.get()
    let size = SEVCertificate.byteCount
    let swapped =
      Array(chain.bytes[size..<2 * size]) + Array(chain.bytes[..<size])
      + Array(chain.bytes[(2 * size)...])
    #expect(code(swapped, root: chain.root) == .malformed)
    for count in stride(from: 0, to: chain.bytes.count, by: 997) {
      #expect(code(Array(chain.bytes.prefix(count)), root: chain.root) == .malformed)
    }
  }
}

@Suite("ID blocks of SEV-SNP")
struct SNPIdentityBlockTests {
  private let digest = Hex.decode(
    "a14d638341e5674628fe1e02fbedebe5e5ab4faf1dd72d8966068e615bb99efd13d214b35c231715b38e263dc6"
      + "059745")

  /// The block that virtee's implementation states for this digest.
  @Test("The block's bytes are those of AMD 56860, table 75")
  func block() throws {
    let block = SNPIdentityBlock(launchDigest: try #require(digest), policy: 0x30000)
    var expected = try #require(digest) + [UInt8](repeating: 0, count: 32)
    expected += [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0]
    #expect(try block.encoded() == expected)
  }

  @Test("ID key and author key sign as table 76 says")
  func authentication() throws {
    let block = SNPIdentityBlock(launchDigest: try #require(digest), policy: 0x30000)
    let (id, author) = (P384.Signing.PrivateKey(), P384.Signing.PrivateKey())
    let bytes = try block.authentication(idKey: id, authorKey: author)
    #expect(bytes.count == 4096)
    #expect(bytes[..<8] == [1, 0, 0, 0, 1, 0, 0, 0])
    func signature(at offset: Int) throws -> P384.Signing.ECDSASignature {
      let raw =
        bytes[offset..<offset + 48].reversed() + bytes[offset + 72..<offset + 120].reversed()
      return try P384.Signing.ECDSASignature(rawRepresentation: Array(raw))
    }
    let (first, second) = (try signature(at: 0x40), try signature(at: 0x680))
    #expect(id.publicKey.isValidSignature(first, for: try block.encoded()))
    let idKey = Array(bytes[0x240..<0x644])
    #expect(author.publicKey.isValidSignature(second, for: idKey))
    #expect(SNPIdentityBlock.digest(of: id.publicKey) == Array(SHA384.hash(data: idKey)))
    #expect(
      SNPIdentityBlock.digest(of: author.publicKey)
        == Array(SHA384.hash(data: bytes[0x880..<0xc84])))
  }

  @Test("Fields of another size are refused")
  func sizes() {
    var block = SNPIdentityBlock(launchDigest: [UInt8](repeating: 0, count: 47), policy: 0)
    #expect(throws: AttestationError.self) { try block.encoded() }
    block.launchDigest.append(0)
    block.familyID.append(0)
    #expect(throws: AttestationError.self) { try block.encoded() }
  }
}
