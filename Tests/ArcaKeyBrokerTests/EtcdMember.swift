import ArcaKeyBroker
import ArcaKeyBrokerEtcd
import Crypto
import Foundation
import SwiftASN1
import Testing
import X509

/// One member of etcd on loopback for all tests of a process, which asks clients for certificates.
///
/// It ends with the process that started it.
actor EtcdMember {
  static let shared = EtcdMember()
  static let program = "/usr/bin/etcd"
  static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

  private var starting: Task<(folder: String, port: UInt16), any Error>?
  private var stores = 0

  /// A service with a prefix of its own, so an empty store, after endpoints that are `dead`.
  func service(after dead: [String] = []) async throws -> EtcdService {
    let (folder, port) = try await member()
    stores += 1
    return try EtcdService(
      endpoints: dead + ["https://127.0.0.1:\(port)"], prefix: "/test/\(stores)",
      authority: folder + "/ca.pem", certificate: folder + "/member.pem",
      certificateKey: folder + "/member.key")
  }

  // Whoever comes while it starts waits for it.
  private func member() async throws -> (folder: String, port: UInt16) {
    let task = starting ?? Task { try await Self.start() }
    starting = task
    return try await task.value
  }

  private static func start() async throws -> (folder: String, port: UInt16) {
    let folder = NSTemporaryDirectory() + "/arca-etcd-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try makeCertificates(folder)
    let port = UInt16.random(in: 20_000..<30_000)
    let (client, peer) = ("https://127.0.0.1:\(port)", "https://127.0.0.1:\(port + 1)")
    let process = Process()
    // The member ends when this process does, however that comes about.
    process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
    process.arguments = [
      "--pdeathsig", "KILL", program, "--name", "one", "--data-dir", folder + "/data",
      "--listen-client-urls", client, "--advertise-client-urls", client,
      "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
      "--initial-cluster", "one=\(peer)", "--client-cert-auth",
      "--trusted-ca-file", folder + "/ca.pem", "--cert-file", folder + "/member.pem",
      "--key-file", folder + "/member.key", "--peer-client-cert-auth",
      "--peer-trusted-ca-file", folder + "/ca.pem", "--peer-cert-file", folder + "/member.pem",
      "--peer-key-file", folder + "/member.key", "--logger", "zap", "--log-level", "error",
    ]
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try await runFromLastingThread(process)
    let result = (folder: folder, port: port)
    let probe = try EtcdService(
      endpoints: [client], prefix: "/probe", authority: folder + "/ca.pem",
      certificate: folder + "/member.pem", certificateKey: folder + "/member.key")
    for _ in 0..<300 {
      if (try? await EtcdStore(probe)) != nil { return result }
      try await Task.sleep(for: .milliseconds(100))
    }
    throw FixtureError.noEtcd
  }

  // What the kernel calls the parent's death is that of the thread which started the child.
  private static func runFromLastingThread(_ process: Process) async throws {
    try await withCheckedThrowingContinuation { (started: CheckedContinuation<Void, any Error>) in
      Thread.detachNewThread {
        started.resume(with: Result { try process.run() })
        while true { Thread.sleep(forTimeInterval: 3600) }
      }
    }
  }

  private static func makeCertificates(_ folder: String) throws {
    let (authority, member) = (P256.Signing.PrivateKey(), P256.Signing.PrivateKey())
    let issuer = try DistinguishedName { CommonName("etcd authority") }
    let now = Date()
    func issue(
      _ subject: DistinguishedName, _ key: P256.Signing.PrivateKey,
      _ extensions: Certificate.Extensions
    ) throws -> String {
      try Certificate(
        version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
        notValidBefore: now.addingTimeInterval(-300), notValidAfter: now.addingTimeInterval(86_400),
        issuer: issuer, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
        extensions: extensions, issuerPrivateKey: .init(authority)
      ).serializeAsPEM().pemString + "\n"
    }
    let ca = try issue(
      issuer, authority,
      try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
      })
    let leaf = try issue(
      try DistinguishedName { CommonName("member") }, member,
      try Certificate.Extensions {
        try ExtendedKeyUsage([.serverAuth, .clientAuth])
        SubjectAlternativeNames([.ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1]))])
      })
    for (name, text) in [
      ("ca.pem", ca), ("member.pem", leaf), ("member.key", member.pemRepresentation),
    ] {
      try PrivateFile.write(Array(text.utf8), to: "\(folder)/\(name)")
    }
  }
}

/// The stores that every test of stores runs against.
enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
  case sqlite, etcd

  var testDescription: String { rawValue }

  /// Those whose programs are here; continuous integration has them all.
  static var available: [StoreKind] {
    let isWhole = ProcessInfo.processInfo.environment["CI"] != nil
    return allCases.filter { $0 == .sqlite || EtcdMember.isInstalled || isWhole }
  }
}
