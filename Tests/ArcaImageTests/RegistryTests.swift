import ArcaBytes
import ArcaImage
import ArcaTestSupport
import Crypto
import Foundation
import Testing

/// Images and signatures in a registry on loopback (Debian's docker-registry), by name.
@Suite(.serialized) struct RegistryTests {
  private static let program = "/usr/bin/docker-registry"

  /// A running registry, and the settings by which skopeo talks to it.
  final class Registry {
    let folder: TemporaryFolder
    let address: String
    private let process = Process()

    init() throws {
      folder = try TemporaryFolder()
      let port = Int.random(in: 20_000..<30_000)
      address = "127.0.0.1:\(port)"
      let configuration = """
        version: 0.1
        log: {level: error}
        storage: {filesystem: {rootdirectory: \(folder.path)/registry}}
        http: {addr: "\(address)"}
        """
      try write(configuration, to: "registry.yml")
      process.executableURL = URL(fileURLWithPath: RegistryTests.program)
      process.arguments = ["serve", "\(folder.path)/registry.yml"]
      process.standardError = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      let url = "http://\(address)/v2/"
      for _ in 0..<100 {
        if (try? Command.run(["python3", "-c", Self.probe, url])) != nil { break }
        usleep(100_000)
      }
    }

    private static let probe = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])"

    deinit {
      process.terminate()
      process.waitUntilExit()
    }

    func write(_ text: String, to name: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
    }
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: program)))
  func anArcaImageIsFoundByNameAndItsSignatureIsDemanded() throws {
    let registry = try Registry()
    let folder = registry.folder.path
    let tests = try ArcaImageBuildTests()
    let built = try tests.build("image")
    let layout = "oci:\(tests.fixture.folder.path)/image"
    let name = "\(registry.address)/team/app:1"

    // Loopback has no certificate.
    try FileManager.default.createDirectory(
      atPath: "\(folder)/.config/containers", withIntermediateDirectories: true)
    try registry.write(
      "[[registry]]\nlocation = \"\(registry.address)\"\ninsecure = true\n",
      to: ".config/containers/registries.conf")

    try registry.push(layout, to: name)
    let found = try registry.inspect(name)
    #expect(found.contains(Hex.encode(built.workloadManifest.digest)))

    let key = P256.Signing.PrivateKey()
    let accepted = try registry.keyFile(key)
    let other = try registry.keyFile(P256.Signing.PrivateKey())
    #expect(registry.refusal(of: name, accepted)?.contains("no signature of sha256:") == true)
    // By the right key, but of another image, and for another repository.
    let stranger = "sha256:" + String(repeating: "0", count: 64)
    try registry.sign(name, built.manifestDigest, with: key, payloadDigest: stranger)
    #expect(registry.refusal(of: name, accepted)?.contains("none by a key") == true)
    try registry.sign(name, built.manifestDigest, with: key, identity: "example.org/team/app")
    #expect(registry.refusal(of: name, accepted)?.contains("none by a key") == true)
    try registry.sign(name, built.manifestDigest, with: key)
    #expect(registry.refusal(of: name, accepted) == nil)
    #expect(registry.refusal(of: name, other + accepted) == nil, "any of several keys")
    #expect(registry.refusal(of: name, other)?.contains("none by a key") == true)
    // Another image under the signed tag.
    try tests.build("plain", encrypted: false)
    try registry.push("oci:\(tests.fixture.folder.path)/plain", to: name)
    #expect(registry.refusal(of: name, accepted)?.contains("no signature of sha256:") == true)

    try registry.write(#"{"default": [{"type": "reject"}]}"#, to: "reject.json")
    let policy = ["--signature-policy", "\(folder)/reject.json"]
    #expect(registry.refusal(of: name, policy)?.contains("rejected by policy") == true)
    let path = tests.fixture.writer.folder
    #expect(registry.refusal(of: path, accepted)?.contains("write oci:\(path)") == true)
    #expect(registry.refusal(of: "oci:\(path)", accepted)?.contains("in a registry") == true)
  }
}

extension RegistryTests.Registry {
  private static let arca =
    URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path + "/.build/release/arca"

  /// Runs `arca image` with a cache and settings of its own.
  private func arca(_ arguments: [String]) throws -> String {
    let output = try Command.run(
      [Self.arca, "image"] + arguments,
      environment: ["HOME": folder.path, "ARCA_DATA": "\(folder.path)/data"])
    return String(decoding: output, as: UTF8.self)
  }

  /// Fetches the image and describes it.
  func inspect(_ name: String) throws -> String {
    _ = try arca(["import", "--quiet", name])
    return try arca(["inspect", name])
  }

  /// What fetching the image with `options` fails with.
  func refusal(of name: String, _ options: [String]) -> String? {
    do {
      _ = try arca(["import", "--quiet"] + options + [name])
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// Copies an image as it is.
  func push(_ layout: String, to name: String) throws {
    _ = try Command.run([
      "skopeo", "--insecure-policy", "copy", "--preserve-digests", "--dest-tls-verify=false",
      layout, "docker://\(name)",
    ])
  }

  /// The option that accepts signatures by `key`.
  func keyFile(_ key: P256.Signing.PrivateKey) throws -> [String] {
    let name = "\(UUID().uuidString).pem"
    try write(key.publicKey.pemRepresentation, to: name)
    return ["--signature-key", "\(folder.path)/\(name)"]
  }

  /// Signs as cosign does: a simple-signing payload in an image beside the one that is signed.
  func sign(
    _ name: String, _ digest: String, with key: P256.Signing.PrivateKey,
    payloadDigest: String? = nil, identity: String? = nil
  ) throws {
    let payload = Array(
      """
      {"critical":{"identity":{"docker-reference":"\(identity ?? name)"},\
      "image":{"docker-manifest-digest":"\(payloadDigest ?? digest)"},\
      "type":"cosign container image signature"},\
      "optional":null}
      """.utf8)
    let writer = try OCILayoutWriter("\(folder.path)/signature-\(UUID().uuidString)")
    var blob = try writer.blob(payload, "application/vnd.dev.cosign.simplesigning.v1+json")
    blob.annotations = [
      "dev.cosignproject.cosign/signature":
        try key.signature(for: payload).derRepresentation.base64EncodedString()
    ]
    try writer.index([try writer.image([blob], diffIDs: [OCILayoutWriter.digest(payload)])])
    let repository = name.split(separator: ":").dropLast().joined(separator: ":")
    let tag = digest.replacing("sha256:", with: "sha256-") + ".sig"
    try push("oci:\(writer.folder)", to: "\(repository):\(tag)")
  }
}
