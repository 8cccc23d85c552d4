import ArcaBytes
import ArcaOCI
import Crypto
import Foundation

/// Checks the signatures that cosign keeps beside an image in its registry.
///
/// Payloads are in the "simple signing" form (containers-signature(5)), signed by ECDSA over P-256.
struct CosignSignature {
  private static let signatureAnnotation = "dev.cosignproject.cosign/signature"
  private static let payloadType = "cosign container image signature"
  private static let signaturesMax = 64
  private static let payloadBytesMax: UInt64 = 64 << 10

  private struct Payload: Decodable {
    struct Critical: Decodable {
      struct Identity: Decodable {
        let reference: String

        enum CodingKeys: String, CodingKey { case reference = "docker-reference" }
      }

      struct Image: Decodable {
        let digest: String

        enum CodingKeys: String, CodingKey { case digest = "docker-manifest-digest" }
      }

      let identity: Identity
      let image: Image
      let type: String
    }

    let critical: Critical
  }

  private let keys: [P256.Signing.PublicKey]
  private let temporary: String
  private let limits: ImageLimits

  /// Accepts what the holder of any of the PEM public keys at `paths` has signed.
  init(keys paths: [String], temporary: String, limits: ImageLimits) throws(ImageError) {
    var keys: [P256.Signing.PublicKey] = []
    for path in paths {
      guard let text = try? String(contentsOfFile: path, encoding: .utf8),
        let key = try? P256.Signing.PublicKey(pemRepresentation: text)
      else {
        throw ImageError(
          .invalidKey, "\(path): expected a public key of P-256 in PEM (cosign.pub)")
      }
      keys.append(key)
    }
    self.keys = keys
    self.temporary = temporary
    self.limits = limits
  }

  /// The image `name`, by the digest that was found to be signed.
  ///
  /// What is copied after that is this digest's, whatever the registry's tag then says.
  func verified(_ name: String) throws(ImageError) -> String {
    let repository = Self.repository(name)
    let path = "\(temporary)/signed-manifest"
    try SkopeoSource.run(["inspect", "--raw", "docker://\(name)"], output: path)
    let file = try DataFile.reading(path)
    let manifest = try ByteRange(
      source: file, start: 0, byteCount: file.byteCount, name: name
    ).whole(bytesMax: limits.documentBytesMax)
    let hex = Hex.encode(Array(SHA256.hash(data: manifest)))
    let folder = "\(temporary)/signatures"
    do {
      try SkopeoSource.run(
        ["copy", "--quiet", "docker://\(repository):sha256-\(hex).sig", "dir:\(folder)"])
    } catch {
      throw ImageError(
        .signature, "\(name): no signature of sha256:\(hex) beside it (\(error.detail))")
    }
    let files = FolderFiles(name: folder)
    let document = try ImageSource.decode(
      ImageManifest.self, try files.document("manifest.json", limits: limits),
      "\(name): its signatures")
    for layer in document.layers.prefix(Self.signaturesMax) {
      let blob = Hex.encode(try ImageSource.sha256(layer.digest, "\(name): a signature"))
      let payload = try files.file(blob).whole(bytesMax: Self.payloadBytesMax)
      if isSigned(payload, layer), Self.names(payload, repository, "sha256:\(hex)") {
        return "docker://\(repository)@sha256:\(hex)"
      }
    }
    throw ImageError(
      .signature,
      "\(name): \(document.layers.count) signatures of sha256:\(hex), none by a key that is "
        + "accepted and for this repository")
  }

  private func isSigned(_ payload: [UInt8], _ layer: Descriptor) -> Bool {
    guard let text = layer.annotations?[Self.signatureAnnotation],
      let der = Data(base64Encoded: text),
      let signature = try? P256.Signing.ECDSASignature(derRepresentation: der)
    else { return false }
    return keys.contains { $0.isValidSignature(signature, for: payload) }
  }

  /// Whether a payload is about the image `digest` of `repository`.
  private static func names(_ payload: [UInt8], _ repository: String, _ digest: String) -> Bool {
    guard let found = try? JSONDecoder().decode(Payload.self, from: Data(payload)) else {
      return false
    }
    return found.critical.type == payloadType && found.critical.image.digest == digest
      && Self.repository(found.critical.identity.reference) == repository
  }

  /// A name without its tag and digest; Docker's own registry is written out.
  private static func repository(_ name: String) -> String {
    let plain = name.split(separator: "@", omittingEmptySubsequences: false).first ?? ""
    var parts = plain.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    if let last = parts.popLast() {
      parts.append(String(last.split(separator: ":").first ?? ""))
    }
    if parts.first == "index.docker.io" { parts[0] = "docker.io" }
    let host = parts.count > 1 ? parts[0] : ""
    let hasHost = host.contains(".") || host.contains(":") || host == "localhost"
    if !hasHost { parts.insert("docker.io", at: 0) }
    if parts.count == 2, parts[0] == "docker.io" { parts.insert("library", at: 1) }
    return parts.joined(separator: "/")
  }
}
