import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaOCI
import ArcaTestSupport
import Crypto
import Foundation
import Testing

/// An Arca image from a small OCI image, and what becomes of it.
@Suite struct ArcaImageBuildTests {
  static let key = (0..<64).map { UInt8($0) }
  static let mark = String(repeating: "marked plaintext ", count: 4096)

  let fixture: ImageFixture
  let image: PreparedImage

  init() throws {
    fixture = try ImageFixture()
    image = try fixture.convert([layer([("etc/secret", Self.mark), ("bin/sh", "x")])])
  }

  var manifest: WorkloadManifest {
    var manifest = WorkloadManifest(
      rootFilesystem: RootFilesystem(
        rootHash: image.rootHash, salt: image.salt, dataBlocks: image.dataBlocks,
        hashStartBlock: image.hashStartBlock, writableBytes: 1 << 20),
      process: WorkloadProcess(
        args: ["/bin/sh"], env: [], capabilities: 0, noNewPrivileges: true), hostname: "arca")
    manifest.keyBroker = KeyBrokerAccess(
      url: "https://broker.example", publicKeys: [[UInt8](repeating: 1, count: 32)])
    return manifest
  }

  func encryption() throws -> ImageEncryption {
    try ImageEncryption(key: Self.key, keyURI: "kbs:///default/key/image")
  }

  @discardableResult
  func build(_ name: String, encrypted: Bool = true) throws -> BuiltImage {
    try fixture.store.build(
      image, manifest: manifest, encryption: encrypted ? try encryption() : nil,
      to: try ImageOutput("\(fixture.folder.path)/\(name)"))
  }

  /// A new store, which knows nothing of the source.
  func otherStore() throws -> ImageStore {
    try ImageStore(dataDirectory: "\(fixture.folder.path)/other-\(UUID().uuidString)")
  }

  func whole(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  @Test(arguments: [true, false])
  func aBuiltImageIsRecognisedWithItsManifest(_ encrypted: Bool) throws {
    let built = try build("image", encrypted: encrypted)
    let found = try otherStore().prepare(reference: "oci:\(fixture.folder.path)/image")
    #expect(found.workloadManifest == built.workloadManifest)
    #expect(found.manifestDigest == built.manifestDigest)
    #expect(found.rootHash == built.workloadManifest.rootFilesystem.rootHash)
    #expect((found.rootHash == image.rootHash) == !encrypted)
    #expect(
      found.workloadManifest?.rootFilesystem.encryptionKey
        == (encrypted ? "kbs:///default/key/image" : nil))
    if !encrypted {
      #expect(try whole(found.rootfsPath) == whole(image.rootfsPath))
    }
  }

  @Test func thePlaintextIsNowhereInAnEncryptedImage() throws {
    try build("image.tar")
    let archive = try whole("\(fixture.folder.path)/image.tar")
    #expect(archive.count > Self.mark.utf8.count)
    #expect(archive.range(of: Data("marked plaintext".utf8)) == nil)
    #expect(try whole(image.rootfsPath).range(of: Data("marked plaintext".utf8)) != nil)
  }

  @Test func theSameInputsGiveTheSameBytes() throws {
    try build("one.tar")
    try build("two.tar")
    #expect(
      try whole("\(fixture.folder.path)/one.tar") == whole("\(fixture.folder.path)/two.tar"))
  }

  @Test func whatExistsIsNotOverwritten() throws {
    try build("image")
    #expect { try build("image") } throws: { ($0 as? ImageError)?.code == .alreadyExists }
  }

  @Test func whatAKilledBuildLeftIsCleaned() throws {
    let left = "\(fixture.folder.path)/image.arca-unfinished"
    try FileManager.default.createDirectory(
      atPath: left + "/layout/blobs", withIntermediateDirectories: true)
    try Data("half".utf8).write(to: URL(fileURLWithPath: left + "/layer"))
    let built = try build("image")
    #expect(!FileManager.default.fileExists(atPath: left))
    #expect(
      try otherStore().prepare(reference: "oci:\(fixture.folder.path)/image").manifestDigest
        == built.manifestDigest)
  }

  @Test func anArcaImageIsNotBuiltAgain() throws {
    try build("image")
    let store = try otherStore()
    let found = try store.prepare(reference: "oci:\(fixture.folder.path)/image")
    #expect {
      try store.build(
        found, manifest: manifest, encryption: nil,
        to: try ImageOutput("\(fixture.folder.path)/again"))
    } throws: { ($0 as? ImageError)?.code == .unsupported }
  }

  @Test func aKeyWithoutABrokerIsRefused() throws {
    var manifest = manifest
    manifest.keyBroker = nil
    #expect {
      try fixture.store.build(
        image, manifest: manifest, encryption: try encryption(),
        to: try ImageOutput("\(fixture.folder.path)/image"))
    } throws: {
      guard let error = $0 as? ImageError else { return false }
      return error.code == .malformed && error.detail.contains("'keyBroker'")
    }
    #expect(!FileManager.default.fileExists(atPath: "\(fixture.folder.path)/image"))
  }

  @Test(arguments: [("kbs:///a/b", 64), ("https://x", 64), ("kbs:///a/b/c", 32)])
  func badKeysAreRefused(_ uri: String, _ bytes: Int) {
    #expect {
      try ImageEncryption(key: Array(Self.key.prefix(bytes)), keyURI: uri)
    } throws: { ($0 as? ImageError)?.code == .invalidKey }
  }

  // MARK: Images that are not what they say

  /// The code of the refusal of an Arca image with one layer of `entries`.
  func refusal(_ entries: [(String, [UInt8])]) throws -> ImageError.Code? {
    var tar = TarWriter()
    for (path, content) in entries { tar.add(path, content: content) }
    let writer = try OCILayoutWriter("\(fixture.folder.path)/made-\(UUID().uuidString)")
    var execution = ImageConfiguration.Execution()
    execution.labels = ["dev.arca.image.version": "1"]
    try writer.index([try writer.image(layers: [tar.finished()], config: execution)])
    do {
      _ = try otherStore().prepare(reference: "oci:\(writer.folder)")
      return nil
    } catch let error as ImageError {
      return error.code
    }
  }

  @Test func whatDoesNotMatchTheManifestIsRefused() throws {
    let file = Array(try whole(image.rootfsPath))
    let good = ("arca/manifest.cbor", manifest.encoded())
    #expect(try refusal([good, ("arca/rootfs.img", file)]) == nil)
    var flipped = file
    flipped[5000] ^= 1
    #expect(try refusal([good, ("arca/rootfs.img", flipped)]) == .digestMismatch)
    #expect(try refusal([good, ("arca/rootfs.img", Array(file.prefix(8192)))]) == .truncated)
    #expect(try refusal([good, ("arca/rootfs.img", file + [0])]) == .malformed)
    #expect(try refusal([good]) == .malformed)
    #expect(
      try refusal([good, ("arca/rootfs.img", file), ("etc/passwd", [])]) == .malformed)
    #expect(
      try refusal([good, good, ("arca/rootfs.img", file)]) == .malformed)
    #expect(
      try refusal([("arca/manifest.cbor", [0xa0]), ("arca/rootfs.img", file)]) == .malformed)
  }

  @Test func anUnknownVersionIsRefused() throws {
    let writer = try OCILayoutWriter("\(fixture.folder.path)/future")
    var execution = ImageConfiguration.Execution()
    execution.labels = ["dev.arca.image.version": "2"]
    try writer.index([try writer.image(layers: [layer([("a", "b")])], config: execution)])
    #expect { try otherStore().prepare(reference: "oci:\(writer.folder)") } throws: {
      ($0 as? ImageError)?.code == .unsupported
    }
  }

  /// CNCF Confidential Containers' annotation, in both versions, and other wrappings.
  @Test(arguments: [
    (
      "provider.attestation-agent",
      #"{"kid":"kbs:///a/b/c","wrapped_data":"","iv":"","wrap_type":"A256GCM"}"#,
      "kbs:///a/b/c (A256GCM)"
    ),
    (
      "provider.attestation-agent",
      #"{"version":"0.1.0","kid":"kbs:///d/e/f","provider":"kbs","wrap_type":"A256CTR"}"#,
      "kbs:///d/e/f (A256CTR)"
    ), ("provider.attestation-agent", "no JSON", "cannot be read"),
    ("jwe", "x", "wrapped by jwe"),
  ])
  func anEncryptedLayerIsNamedAndRefused(_ scheme: String, _ packet: String, _ said: String) throws
  {
    let writer = try OCILayoutWriter("\(fixture.folder.path)/encrypted")
    let content = layer([("a", "b")])
    var blob = try writer.blob(content, MediaType.layer + "+encrypted")
    blob.annotations = [
      "org.opencontainers.image.enc.keys.\(scheme)": Data(packet.utf8).base64EncodedString()
    ]
    try writer.index([try writer.image([blob], diffIDs: [OCILayoutWriter.digest(content)])])
    #expect { try otherStore().prepare(reference: "oci:\(writer.folder)") } throws: {
      ($0 as? ImageError)?.code == .encrypted && "\($0)".contains(said)
        && "\($0)".contains("arca image build --encrypt")
    }
  }
}
