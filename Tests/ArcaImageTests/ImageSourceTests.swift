import ArcaImage
import ArcaOCI
import ArcaTestSupport
import Foundation
import Testing

@Suite struct ImageSourceTests {
  private let files = layer([("etc/passwd", "root:x:0:0::/:/bin/sh\n"), ("etc/group", "g:x:7:\n")])

  @Test func equalLayersGiveEqualBytesHoweverTheyArePackedAndWhereverTheyLie() throws {
    var hashes: Set<[UInt8]> = []
    for packing in OCILayoutWriter.Packing.allCases {
      let fixture = try ImageFixture()
      let image = try fixture.convert([files, layer([("a", "b")])], packing: packing)
      hashes.insert(Array(try Data(contentsOf: URL(fileURLWithPath: image.rootfsPath))))
      #expect(String(decoding: image.passwd, as: UTF8.self) == "root:x:0:0::/:/bin/sh\n")
      #expect(String(decoding: image.group, as: UTF8.self) == "g:x:7:\n")
      #expect(image.config.config.cmd == ["/bin/sh"])
    }
    #expect(hashes.count == 1)
  }

  @Test func archivesGiveWhatTheFolderGives() throws {
    let fixture = try ImageFixture()
    let expected = try fixture.convert([files], packing: .gzip)
    let base = fixture.folder.path
    _ = try Command.run(["tar", "-C", fixture.writer.folder, "-cf", "\(base)/oci.tar", "."])
    _ = try Command.run(["sh", "-c", "gzip -c \(base)/oci.tar > \(base)/oci.tar.gz"])
    _ = try Command.run([
      "skopeo", "copy", "-q", "oci:\(fixture.writer.folder)",
      "docker-archive:\(base)/docker.tar:name:tag",
    ])
    let references = [
      fixture.writer.folder, "\(base)/oci.tar", "\(base)/oci.tar.gz", "oci-archive:\(base)/oci.tar",
      "\(base)/docker.tar", "docker-archive:\(base)/docker.tar",
      "docker-archive:\(base)/docker.tar:name:tag",
    ]
    for reference in references {
      let other = try ImageFixture()
      let image = try other.store.prepare(reference: reference)
      #expect(image.rootHash == expected.rootHash, "\(reference)")
      #expect(image.configDigest == expected.configDigest, "\(reference)")
    }
  }

  @Test func thePlatformIsChosenAlsoInNestedIndexes() throws {
    let fixture = try ImageFixture()
    let wanted = try fixture.writer.image(layers: [files])
    let other = try fixture.writer.image(layers: [layer([("x", "")])], architecture: "arm64")
    var attestation = try fixture.writer.image(layers: [layer([("y", "")])])
    attestation.platform = Platform(architecture: "unknown", os: "unknown")
    let inner = try fixture.writer.blob(
      try OCILayoutWriter.json(ImageIndex(manifests: [other, attestation, wanted])),
      MediaType.index)
    try fixture.writer.index([inner])
    let image = try fixture.store.prepare(reference: fixture.reference)
    #expect(image.manifestDigest == wanted.digest)
    try fixture.writer.index([other])
    #expect(refusal(fixture.store, fixture.reference) == .notFound)
  }

  @Test func indexesNestedWithoutEndAreRefused() throws {
    let fixture = try ImageFixture()
    var descriptor = try fixture.writer.image(layers: [files])
    for _ in 0..<6 {
      descriptor = try fixture.writer.blob(
        try OCILayoutWriter.json(ImageIndex(manifests: [descriptor])), MediaType.index)
    }
    try fixture.writer.index([descriptor])
    #expect(fixture.refusal() == .limitExceeded)
  }

  @Test func aTagChoosesAndWithoutOneSeveralImagesAreRefused() throws {
    let fixture = try ImageFixture()
    var first = try fixture.writer.image(layers: [files])
    first.annotations = ["org.opencontainers.image.ref.name": "one"]
    var second = try fixture.writer.image(layers: [layer([("x", "")])])
    second.annotations = ["org.opencontainers.image.ref.name": "two"]
    try fixture.writer.index([first, second])
    #expect(fixture.refusal() == .invalidReference)
    let image = try fixture.store.prepare(reference: "\(fixture.reference):two")
    #expect(image.manifestDigest == second.digest)
    #expect(refusal(fixture.store, "\(fixture.reference):three") == .notFound)
  }

  @Test func listsThatAreNullAndWhatIsUnknownAreTolerated() throws {
    let fixture = try ImageFixture()
    let config = """
      {"architecture":"amd64","os":"linux","history":[{"x":1}],"config":{"Cmd":null,"Env":null,
       "Entrypoint":["/e"],"User":"u","Volumes":{"/v":{}},"ExposedPorts":{"1/tcp":{}}},
       "rootfs":{"type":"layers","diff_ids":["\(OCILayoutWriter.digest(files))"]}}
      """
    let manifest = ImageManifest(
      config: try fixture.writer.blob(Array(config.utf8), MediaType.config),
      layers: [try fixture.writer.blob(files, MediaType.layer)])
    let descriptor = try fixture.writer.blob(
      try OCILayoutWriter.json(manifest), MediaType.manifest)
    try fixture.writer.index([descriptor])
    let image = try fixture.store.prepare(reference: fixture.reference)
    #expect(image.config.config.entrypoint == ["/e"])
    #expect(image.config.config.cmd == [])
    #expect(image.config.config.volumes == ["/v"])
  }

  @Test func anImageWithoutLayersIsAnEmptyRoot() throws {
    let fixture = try ImageFixture()
    #expect(try fixture.contents(try fixture.convert([])) == [:])
  }

  private func refusal(_ store: ImageStore, _ reference: String) -> ImageError.Code? {
    do {
      _ = try store.prepare(reference: reference)
      return nil
    } catch {
      return error.code
    }
  }
}

@Suite struct ImageIntegrityTests {
  private static let content = layer([("a", String(repeating: "content ", count: 20_000))])

  @Test(arguments: OCILayoutWriter.Packing.allCases)
  func aChangedByteOfALayerIsCaught(_ packing: OCILayoutWriter.Packing) throws {
    let fixture = try ImageFixture()
    let descriptor = try fixture.writer.image(layers: [Self.content], packing: packing)
    try fixture.writer.index([descriptor])
    let packed = try OCILayoutWriter.pack(Self.content, packing)
    let path = fixture.writer.path(OCILayoutWriter.digest(packed))
    var changed = packed
    changed[packed.count / 2] ^= 1
    try Data(changed).write(to: URL(fileURLWithPath: path))
    let code = try #require(fixture.refusal())
    #expect([.digestMismatch, .malformed].contains(code))
    try Data(packed.dropLast(10)).write(to: URL(fileURLWithPath: path))
    #expect(fixture.refusal() == .truncated)
    try FileManager.default.removeItem(atPath: path)
    #expect(fixture.refusal() == .notFound)
    _ = try Command.run(["mkfifo", path])
    #expect(fixture.refusal() == .truncated)
    try FileManager.default.removeItem(atPath: path)
    try Data(packed).write(to: URL(fileURLWithPath: path))
    #expect(fixture.refusal() == nil)
  }

  @Test func aChangedManifestOrConfigurationIsCaught() throws {
    for isConfiguration in [true, false] {
      let fixture = try ImageFixture()
      let descriptor = try fixture.writer.image(layers: [Self.content])
      try fixture.writer.index([descriptor])
      let path = fixture.writer.path(descriptor.digest)
      var manifest = try Data(contentsOf: URL(fileURLWithPath: path))
      let parsed = try JSONDecoder().decode(ImageManifest.self, from: manifest)
      let victim = isConfiguration ? fixture.writer.path(parsed.config.digest) : path
      manifest = try Data(contentsOf: URL(fileURLWithPath: victim))
      manifest[manifest.count / 2] ^= 1
      try manifest.write(to: URL(fileURLWithPath: victim))
      #expect(fixture.refusal() == .digestMismatch)
    }
  }

  @Test(arguments: [OCILayoutWriter.Packing.gzip, .zstd])
  func aStreamThatEndsEarlyIsCaughtEvenIfItsDigestIsRight(_ packing: OCILayoutWriter.Packing)
    throws
  {
    let fixture = try ImageFixture()
    let packed = try OCILayoutWriter.pack(Self.content, packing)
    let cut = try fixture.writer.blob(Array(packed.dropLast(12)), packing.mediaType)
    let digest = OCILayoutWriter.digest(Self.content)
    try fixture.writer.index([try fixture.writer.image([cut], diffIDs: [digest])])
    #expect(fixture.refusal() == .truncated)
  }

  @Test func aWrongDiffIDIsCaught() throws {
    let fixture = try ImageFixture()
    let blob = try fixture.writer.blob(Self.content, MediaType.layer)
    let digest = OCILayoutWriter.digest([1])
    try fixture.writer.index([try fixture.writer.image([blob], diffIDs: [digest])])
    #expect(fixture.refusal() == .digestMismatch)
  }

  @Test func severalGzipMembersAreOneLayer() throws {
    let fixture = try ImageFixture()
    let half = Self.content.count / 2
    let packed =
      try OCILayoutWriter.pack(Array(Self.content[..<half]), .gzip)
      + OCILayoutWriter.pack(Array(Self.content[half...]), .gzip)
    let blob = try fixture.writer.blob(packed, OCILayoutWriter.Packing.gzip.mediaType)
    let digest = OCILayoutWriter.digest(Self.content)
    try fixture.writer.index([try fixture.writer.image([blob], diffIDs: [digest])])
    #expect(fixture.refusal() == nil)
  }

  @Test func anUnknownLayerTypeIsRefused() throws {
    let digest = OCILayoutWriter.digest(Self.content)
    for type in [
      "application/vnd.oci.image.layer.v1.tar+xz", "", OCILayoutWriter.Packing.gzip.mediaType,
    ] {
      let fixture = try ImageFixture()
      let blob = try fixture.writer.blob(Self.content, type)
      try fixture.writer.index([try fixture.writer.image([blob], diffIDs: [digest])])
      #expect(fixture.refusal() == .unsupported, "\(type)")
    }
  }

  @Test(arguments: OCILayoutWriter.Packing.allCases)
  func aDecompressionBombIsRefused(_ packing: OCILayoutWriter.Packing) throws {
    var limits = ImageLimits()
    limits.uncompressedBytesMax = 1 << 20
    let fixture = try ImageFixture(limits: limits)
    var tar = TarWriter()
    tar.add("zeros", content: [UInt8](repeating: 0, count: 1 << 20))
    try fixture.writer.index([try fixture.writer.image(layers: [tar.finished()], packing: packing)])
    #expect(fixture.refusal() == .limitExceeded)
  }

  @Test func aBombOfSparseRegionsIsRefused() throws {
    var limits = ImageLimits()
    limits.uncompressedBytesMax = 1 << 20
    let fixture = try ImageFixture(limits: limits)
    // 64 single bytes, each of which would need a chunk of its own.
    let map = (0..<64).map { "\($0 << 16),1" }.joined(separator: ",")
    var tar = TarWriter()
    tar.add(
      "sparse", content: [UInt8](repeating: 1, count: 64),
      records: [
        ("GNU.sparse.size", Array("\(64 << 16)".utf8)), ("GNU.sparse.map", Array(map.utf8)),
      ])
    #expect(try fixture.refusal(of: [tar.finished()]) == .limitExceeded)
  }

  @Test func aReferenceThatLooksLikeAnOptionIsRefused() {
    #expect(throws: ImageError.self) { try ImageReference("--privileged") }
    #expect(throws: ImageError.self) { try ImageReference("") }
  }
}
