import ArcaBytes
import ArcaManifest

/// What the document says about the key broker and all that comes from it; each is left out where
/// the manifest asks for nothing.
extension ManifestDocument {
  struct KeyBroker: Codable {
    var url: String
    var publicKeys: [String]
  }

  /// Either `env`, or `path` with the others.
  struct SecretEntry: Codable {
    var resource: String
    var env: String?
    var path: String?
    var mode: String?
    var uid: UInt32?
    var gid: UInt32?
  }

  struct Volume: Codable {
    var name: String
    var destination: String
    var key: String
    var readOnly: Bool?
  }

  struct Permissions: Codable {
    var getEvidence: Bool?
    var getToken: Bool?
    var getResources: [String]?
  }

  struct PodEntry: Codable {
    var place: Int
    var ports: [[UInt16]]
    var key: String?
  }

  mutating func describeSecrets(_ manifest: WorkloadManifest) {
    keyBroker = manifest.keyBroker.map {
      KeyBroker(url: $0.url, publicKeys: $0.publicKeys.map { Hex.encode($0) })
    }
    let entries = manifest.secrets.map { secret in
      switch secret.target {
      case .variable(let name): SecretEntry(resource: secret.resource, env: name)
      case .file(let path, let mode, let uid, let gid):
        SecretEntry(
          resource: secret.resource, path: path, mode: octal(mode), uid: uid, gid: gid)
      }
    }
    secrets = entries.isEmpty ? nil : entries
    let described = manifest.volumes.map {
      Volume(
        name: $0.name, destination: $0.destination, key: $0.key,
        readOnly: $0.isReadOnly ? true : nil)
    }
    volumes = described.isEmpty ? nil : described
    network = manifest.hasNetwork ? true : nil
    pod = manifest.pod.map { PodEntry(place: $0.place, ports: $0.ports, key: $0.key) }
    let may = manifest.workloadMay
    if may != WorkloadRules() {
      workloadMay = Permissions(
        getEvidence: may.getEvidence, getToken: may.getToken, getResources: may.getResources)
    }
  }

  func takeSecrets(into manifest: inout WorkloadManifest) throws(ManifestTextError) {
    if let keyBroker {
      var keys: [[UInt8]] = []
      for key in keyBroker.publicKeys { keys.append(try hex(key, "keyBroker.publicKeys")) }
      manifest.keyBroker = KeyBrokerAccess(url: keyBroker.url, publicKeys: keys)
    }
    for entry in secrets ?? [] { manifest.secrets.append(try secret(entry)) }
    for volume in volumes ?? [] {
      manifest.volumes.append(
        EncryptedVolume(
          name: volume.name, destination: volume.destination, key: volume.key,
          isReadOnly: volume.readOnly ?? false))
    }
    manifest.hasNetwork = network ?? false
    manifest.pod = pod.map { Pod(place: $0.place, ports: $0.ports, key: $0.key) }
    manifest.workloadMay.getEvidence = workloadMay?.getEvidence ?? false
    manifest.workloadMay.getToken = workloadMay?.getToken ?? false
    manifest.workloadMay.getResources = workloadMay?.getResources ?? []
  }

  private func secret(_ entry: SecretEntry) throws(ManifestTextError) -> Secret {
    switch (entry.env, entry.path) {
    case (let name?, nil):
      guard entry.mode == nil, entry.uid == nil, entry.gid == nil else {
        throw ManifestTextError(
          .invalidField, "secrets: \(entry.resource): a variable has no mode, uid or gid")
      }
      return Secret(resource: entry.resource, target: .variable(name))
    case (nil, let path?):
      return Secret(
        resource: entry.resource,
        target: .file(
          path: path, mode: try mode(entry.mode ?? "0400", "secrets.mode"),
          uid: entry.uid ?? process.uid ?? 0, gid: entry.gid ?? process.gid ?? 0))
    default:
      throw ManifestTextError(
        .invalidField, "secrets: \(entry.resource): expected either `env` or `path`")
    }
  }
}
