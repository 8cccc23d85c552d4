import ArcaBytes
import ArcaManifest
import ArcaTEE
import Foundation

/// The host's part in the launch of a SEV-ES or SEV guest that the workload's key broker judges.
///
/// It carries messages between the broker and the platform's security processor. The broker takes
/// them for evidence, and what it answers only the processor can open, so nothing here is trusted.
package struct LaunchBroker: Codable {
  /// Where it is kept, in the container's folder, from before the launch until that is judged.
  static let fileName = "launch-broker"
  private static let answerBytesMax = 1 << 16
  private static let timeoutSeconds = 30

  private struct Refusal: Decodable { let detail: String }

  private let url: String
  private let pins: [String]
  private let endpoint: String?
  private let resources: [String]
  private var session = ""

  /// The broker that `manifest` names, and the resources that it asks for; to be reached at
  /// `endpoint` where that is given.
  package init(of manifest: WorkloadManifest, at endpoint: BrokerEndpoint?) throws(RuntimeError) {
    let resources = manifest.launchResources
    guard let access = manifest.keyBroker, !resources.isEmpty else {
      throw RuntimeError(
        .manifest, "--sev-chain: the manifest names no key broker with secrets to be judged for")
    }
    url = access.url.hasSuffix("/") ? String(access.url.dropLast()) : access.url
    pins = access.publicKeys.map { base64($0) }
    self.endpoint = endpoint?.description
    self.resources = resources
  }

  /// What ``save(to:)`` wrote, or nil where there is none.
  init?(savedIn folder: String) {
    guard let bytes = try? System.contents("\(folder)/\(Self.fileName)", max: 1 << 16),
      let saved = try? JSONDecoder().decode(Self.self, from: Data(bytes))
    else { return nil }
    self = saved
  }

  /// Keeps what is to be asked after the launch in the container's `folder`.
  package func save(in folder: String) throws {
    try System.replace("\(folder)/\(Self.fileName)", with: Array(try JSONEncoder().encode(self)))
  }

  /// Has the broker judge the launch that waits in the container's `folder`, once, and hands the
  /// packet, or why there is none, to the launcher; nothing where none waits.
  ///
  /// `digest` is what the launcher says that it launched.
  package static func judge(in folder: String, digest: [UInt8]) throws(RuntimeError) {
    let run = folder + "/run/"
    guard !digest.isEmpty, let broker = LaunchBroker(savedIn: folder),
      let bytes = try? System.contents(run + SEVLaunchControl.recordName, max: 1 << 12),
      let record = try? SEVLaunchRecord(decoding: bytes)
    else { return }
    removeFile("\(folder)/\(fileName)")
    let answer: [UInt8]
    do {
      answer = try broker.secret(for: record, digest: digest, scratch: folder).encoded()
    } catch {
      answer = SEVLaunchControl.refusal(error.detail)
    }
    do {
      try System.replace(run + SEVLaunchControl.packetName, with: answer)
    } catch {
      throw RuntimeError(error)
    }
  }

  /// Has the broker agree on keys with the platform of `chain`: what QEMU's `dh-cert-file` and
  /// `session-file` hold, in Base64.
  package mutating func open(
    _ kind: LaunchKind, policy: UInt64, chain: [UInt8], scratch: String
  ) throws(RuntimeError) -> (certificate: String, session: String) {
    struct Question: Encodable {
      let tee: String
      let policy: UInt64
      let chain: String
    }
    struct Answer: Decodable {
      let session: String
      let certificate: String
      let blob: String

      enum CodingKeys: String, CodingKey {
        case session
        case certificate = "dh-cert"
        case blob = "launch-blob"
      }
    }
    let question = Question(tee: kind.rawValue, policy: policy, chain: base64(chain))
    let answer: Answer = try ask("session", question, scratch)
    guard decodedBase64(answer.certificate)?.count == 2084,
      decodedBase64(answer.blob)?.count == 128
    else { throw fault("session", "not a certificate of 2084 and a session of 128 bytes") }
    session = answer.session
    return (answer.certificate, answer.blob)
  }

  /// Has the broker judge what the platform measured of what the host says has the launch digest
  /// `digest`: the packet for the security processor.
  package func secret(
    for record: SEVLaunchRecord, digest: [UInt8], scratch: String
  ) throws(RuntimeError) -> SEVSecretPacket {
    struct Question: Encodable {
      let session: String
      let policy: UInt32
      let api: [Int]
      let measurement: String
      let digest: String
      let resources: [String]

      enum CodingKeys: String, CodingKey {
        case session, policy, api, measurement, resources
        case digest = "launch-digest"
      }
    }
    struct Answer: Decodable {
      let header: String
      let secret: String
    }
    let question = Question(
      session: session, policy: record.policy, api: record.api.map { Int($0) },
      measurement: base64(record.blob), digest: Hex.encode(digest), resources: resources)
    let answer: Answer = try ask("secret", question, scratch)
    guard let header = decodedBase64(answer.header), let secret = decodedBase64(answer.secret),
      let packet = try? SEVSecretPacket(
        decoding: SEVSecretPacket(header: header, secret: secret).encoded())
    else { throw fault("secret", "not a packet of 52 bytes and a table") }
    return packet
  }

  // MARK: - The connection

  /// By curl: no certificate authority counts, only the keys that the manifest names.
  private func ask<Answer: Decodable>(
    _ call: String, _ question: some Encodable, _ scratch: String
  ) throws(RuntimeError) -> Answer {
    let (body, answer) = ("\(scratch)/\(call).json", "\(scratch)/\(call)-answer.json")
    defer { for path in [body, answer] { try? FileManager.default.removeItem(atPath: path) } }
    do {
      try System.replace(body, with: Array(try JSONEncoder().encode(question)))
      let status = try runTool(
        [
          Self.curl, "--silent", "--show-error", "--insecure", "--proto", "=https",
          "--max-time", "\(Self.timeoutSeconds)", "--max-filesize", "\(Self.answerBytesMax)",
          "--pinnedpubkey", pins.map { "sha256//\($0)" }.joined(separator: ";"),
          "--header", "Content-Type: application/json", "--data-binary", "@\(body)",
          "--output", answer, "--write-out", "%{http_code}",
        ] + (endpoint.map { ["--connect-to", "::\($0)"] } ?? []) + ["\(url)/sev/v0/\(call)"])
      let content = try System.contents(answer, max: Self.answerBytesMax)
      guard status.hasSuffix("200") else {
        let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(content))
        throw fault(
          call, "status \(status.suffix(3)): \(printable((refusal?.detail ?? "").utf8.prefix(512)))"
        )
      }
      return try JSONDecoder().decode(Answer.self, from: Data(content))
    } catch let error as RuntimeError {
      guard error.code == .state else { throw error }
      throw fault(call, error.detail)
    } catch let error as TEEError {
      throw fault(call, describe(error))
    } catch {
      throw fault(call, "not the answer that was expected: \(error)")
    }
  }

  private static var curl: String {
    ["/usr/bin/curl", "/usr/local/bin/curl"].first { isAccessible($0, X_OK) } ?? "/usr/bin/curl"
  }

  private func fault(_ call: String, _ what: String) -> RuntimeError {
    RuntimeError(.tee, "key broker \(url): sev \(call): \(what)")
  }
}

extension WorkloadManifest {
  /// The paths of the resources that a guest without evidence is given at its launch.
  var launchResources: [String] {
    let named = [rootFilesystem.encryptionKey].compactMap { $0 } + secrets.map(\.resource)
    var paths: [String] = []
    for path in named.compactMap({ ResourceURI.path($0) }) {
      let text = String(decoding: path, as: UTF8.self)
      if !paths.contains(text) { paths.append(text) }
    }
    return paths
  }
}

extension ContainerStore {
  /// Refuses, before anything is made, a launch whose guest could not get what its manifest names.
  func checkLaunchSecrets(
    _ request: RunRequest, _ manifest: WorkloadManifest
  ) throws(RuntimeError) {
    guard request.kind.format == .launchMeasurement else { return }
    guard manifest.volumes.isEmpty else {
      throw RuntimeError(
        .manifest,
        "volumes: opening one takes the key broker's word on its generation, for which a guest of "
          + "kind \(request.kind.rawValue) has no evidence")
    }
    guard !manifest.launchResources.isEmpty else { return }
    guard request.sessionFolder != nil || request.sevChain != nil else {
      throw RuntimeError(
        .manifest,
        "secrets: a guest of kind \(request.kind.rawValue) gets them at its launch; name the "
          + "platform's certificates (--sev-chain) or the owner's session (--session)")
    }
    try installation.requireLaunchSecrets()
  }

  /// Has the manifest's key broker make the session for the launch of the container in `folder`,
  /// where the request names the platform's certificates.
  func openSession(
    for request: RunRequest, _ manifest: WorkloadManifest, _ hardware: HardwareLaunch?,
    in folder: String
  ) throws {
    guard let chain = request.sevChain, let hardware else { return }
    var broker = try LaunchBroker(of: manifest, at: request.keyBrokerAddress)
    let files = try broker.open(
      request.kind, policy: hardware.policy, chain: chain, scratch: folder)
    try System.replace(folder + "/job/dh-cert", with: Array(files.certificate.utf8))
    try System.replace(folder + "/job/session", with: Array(files.session.utf8))
    try broker.save(in: folder)
  }
}
