/// Where etcd is, and how a broker shows what it is: what `etcd` in the configuration says.
public struct EtcdService: Sendable, Equatable {
  /// `https://NAME:PORT`, tried in order.
  public let endpoints: [String]
  /// What every key starts with.
  public let prefix: String
  /// Path of the authority's certificate that etcd's chains to, PEM.
  public let authority: String
  /// Path of the broker's own certificate chain, PEM.
  public let certificate: String
  /// Path of that certificate's private key, PEM, 0600.
  public let certificateKey: String

  /// Names a service.
  public init(
    endpoints: [String], prefix: String, authority: String, certificate: String,
    certificateKey: String
  ) throws(KeyBrokerError) {
    guard !endpoints.isEmpty, endpoints.allSatisfy({ $0.hasPrefix("https://") && $0.count > 8 })
    else {
      throw KeyBrokerError(
        .invalidConfiguration, "etcd.endpoints: expected addresses https://NAME:PORT")
    }
    guard prefix.hasPrefix("/"), prefix.utf8.count > 1, !prefix.hasSuffix("/") else {
      throw KeyBrokerError(
        .invalidConfiguration, "etcd.prefix: expected a path that starts, but does not end, in /")
    }
    self.endpoints = endpoints
    self.prefix = prefix
    self.authority = authority
    self.certificate = certificate
    self.certificateKey = certificateKey
  }

  init(_ node: DocumentNode, in folder: BrokerFolder) throws(KeyBrokerError) {
    try node.expectMembers(["endpoints", "prefix", "authority", "certificate", "certificateKey"])
    try self.init(
      endpoints: try node.texts("endpoints"), prefix: try node.text("prefix"),
      authority: folder.file(try node.text("authority")),
      certificate: folder.file(try node.text("certificate")),
      certificateKey: folder.file(try node.text("certificateKey")))
  }
}

/// Which token holds the master keys: what `pkcs11` in the configuration says.
public struct TokenSlot: Sendable, Equatable {
  /// Path of the PKCS#11 module, a shared library.
  public let module: String
  /// The token's label.
  public let label: String
  /// Path of the file with the user's PIN, 0600.
  public let pinFile: String

  /// Names a token.
  public init(module: String, label: String, pinFile: String) throws(KeyBrokerError) {
    guard module.hasPrefix("/") else {
      throw KeyBrokerError(.invalidConfiguration, "pkcs11.module: expected a full path")
    }
    guard (1...32).contains(label.utf8.count) else {
      throw KeyBrokerError(.invalidConfiguration, "pkcs11.token: expected a label of 1 to 32 bytes")
    }
    self.module = module
    self.label = label
    self.pinFile = pinFile
  }

  init(_ node: DocumentNode, in folder: BrokerFolder) throws(KeyBrokerError) {
    try node.expectMembers(["module", "token", "pinFile"])
    try self.init(
      module: try node.text("module"), label: try node.text("token"),
      pinFile: folder.file(try node.text("pinFile")))
  }
}
