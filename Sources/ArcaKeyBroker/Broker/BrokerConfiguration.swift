import Foundation
import TEEAttestation

/// A broker's folder: its configuration, keys, store and policy, under fixed names.
public struct BrokerFolder: Sendable {
  /// Path of the folder.
  public let path: String

  /// Names the folder.
  public init(path: String) {
    self.path = path
  }

  /// The path of something in the folder; an absolute `name` stays as it is.
  public func file(_ name: String) -> String { name.hasPrefix("/") ? name : "\(path)/\(name)" }

  /// The configuration.
  public var configuration: String { file("arca-kbs.yaml") }
  /// The certificate chain of the server, PEM.
  public var certificate: String { file("tls.pem") }
  /// The server's private key, PEM, 0600.
  public var certificateKey: String { file("tls.key") }
  /// The key that signs tokens, PEM, 0600.
  public var tokenKey: String { file("token.key") }
  /// The private half of the first administrator's key, PEM, 0600; to be moved elsewhere.
  public var administratorKey: String { file("admin.key") }
  /// Public keys of administrators, PEM.
  public var administrators: String { file("administrators") }
  /// The master keys, 0600 each.
  public var masterKeys: String { file("master-keys") }
  /// The embedded store.
  public var database: String { file("broker.db") }
  /// What keeps a restoration and the use of the embedded store apart.
  public var lock: String { file("broker.lock") }
  /// What is there from the first step of making the folder to the last.
  public var unfinished: String { file("init.unfinished") }
  /// The vendors' endorsements.
  public var collateral: String { file("collateral") }

  /// Makes the tokens' issuer from the folder's key.
  public func tokenIssuer(_ name: String) throws(KeyBrokerError) -> TokenIssuer {
    try TokenIssuer(
      issuer: name, pem: String(decoding: try PrivateFile.read(tokenKey), as: UTF8.self))
  }

  /// The administrators whose public keys are in the folder.
  public func readAdministrators() throws(KeyBrokerError) -> Administrators {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: administrators)) ?? []
    var keys: [JWSPublicKey] = []
    for name in names.sorted() where name.hasSuffix(".pem") {
      let content = FileManager.default.contents(atPath: "\(administrators)/\(name)") ?? Data()
      keys.append(try JWSPublicKey(pem: String(decoding: content, as: UTF8.self)))
    }
    return Administrators(keys: keys)
  }
}

/// What `arca-kbs.yaml` says.
public struct BrokerConfiguration: Sendable {
  /// Address to listen on.
  public let host: String
  /// Port to listen on, TCP.
  public let port: Int
  /// Name under which tokens are issued.
  public let issuer: String
  /// Bounds of what the broker takes on.
  public let limits: KeyBroker.Limits
  /// Bytes of a request body at most.
  public let bodyBytesMax: Int
  /// Whence vendors' documents are fetched, or nil where none is.
  public let sources: CollateralSources?
  /// Whether evidence that no hardware stands behind is looked at; rules must allow it too.
  public let dangerouslyAcceptSimulatedEvidence: Bool
  /// Files with roots of simulated vendors, DER, in the folder or absolute.
  public let simulatedRoots: [String]

  /// The store that brokers share, or nil for the embedded one; its files by full path.
  public let etcd: EtcdService?
  /// The token that the master keys are in, or nil where they are in files.
  public let token: TokenSlot?

  /// The configuration that `arca-kbs init` writes.
  public static let initial = """
    version: 1
    listen: 127.0.0.1:8443
    issuer: arca-kbs
    sessionSeconds: 300
    amdService: vendor
    intelService: vendor
    dangerouslyAcceptSimulatedEvidence: false

    """

  /// Reads a configuration in YAML.
  public init(yaml: String, in folder: BrokerFolder) throws(KeyBrokerError) {
    let root = try DocumentNode(
      yaml: yaml, name: "configuration", code: .invalidConfiguration)
    try root.expectMembers([
      "version", "listen", "issuer", "sessionSeconds", "sessionsMax", "resourceBytesMax",
      "bodyBytesMax", "amdService", "intelService", "dangerouslyAcceptSimulatedEvidence",
      "simulatedRoots", "etcd", "pkcs11",
    ])
    guard try root.text("version") == "1" else { throw root.fault("version", "1") }
    let listen = try root.text("listen")
    guard let colon = listen.lastIndex(of: ":"), colon != listen.startIndex,
      let port = UInt16(listen[listen.index(after: colon)...])
    else { throw root.fault("listen", "ADDRESS:PORT") }
    host = String(listen[..<colon])
    self.port = Int(port)
    issuer = try root.text("issuer")
    let standard = KeyBroker.Limits()
    limits = KeyBroker.Limits(
      sessionSeconds: Int64(
        try root.number("sessionSeconds", default: Int(standard.sessionSeconds))),
      sessionsMax: try root.number("sessionsMax", default: standard.sessionsMax),
      resourceBytesMax: try root.number("resourceBytesMax", default: standard.resourceBytesMax))
    bodyBytesMax = try root.number("bodyBytesMax", default: 2 << 20)
    var sources = CollateralSources()
    if let service = try Self.service("amdService", root), service != "vendor" {
      sources.amd = AMDKeyDistributionService(base: service)
    }
    if let service = try Self.service("intelService", root), service != "vendor" {
      sources.intel = IntelCertificationService(cachingServiceAt: service)
    }
    self.sources = root.has("amdService") || root.has("intelService") ? sources : nil
    dangerouslyAcceptSimulatedEvidence = try root.flag("dangerouslyAcceptSimulatedEvidence")
    simulatedRoots = root.has("simulatedRoots") ? try root.texts("simulatedRoots") : []
    etcd = try root.optional("etcd").map { node throws(KeyBrokerError) in
      try EtcdService(node, in: folder)
    }
    token = try root.optional("pkcs11").map { node throws(KeyBrokerError) in
      try TokenSlot(node, in: folder)
    }
    guard simulatedRoots.isEmpty || dangerouslyAcceptSimulatedEvidence else {
      throw root.fault("simulatedRoots", "dangerouslyAcceptSimulatedEvidence: true beside it")
    }
  }

  // `vendor`, or the address of a service of one's own that speaks the vendor's interface.
  private static func service(
    _ name: String, _ root: DocumentNode
  ) throws(KeyBrokerError) -> String? {
    guard root.has(name) else { return nil }
    let text = try root.text(name)
    guard text == "vendor" || text.hasPrefix("https://") || text.hasPrefix("http://") else {
      throw root.fault(name, "vendor or an https address")
    }
    return text
  }
}
