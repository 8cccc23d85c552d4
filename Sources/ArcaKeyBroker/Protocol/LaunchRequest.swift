import ArcaBytes

/// What the host of a SEV-ES or SEV guest asks before it starts one (`POST /sev/v0/session`).
struct LaunchSessionRequest {
  let tee: AttesterKind
  /// The guest policy that the session is to be bound to.
  let policy: UInt32
  /// The platform's certificates, from PDH to ARK.
  let chain: [UInt8]

  init(_ bytes: [UInt8]) throws(KeyBrokerError) {
    let json = try StrictJSON(parsing: bytes)
    guard let tee = json["tee"]?.text.flatMap({ AttesterKind(rawValue: $0) }),
      tee.isMeasuredAtLaunch
    else { throw KeyBrokerError(.unsupportedTEE, "sev session: expected tee sev-es or sev") }
    guard let policy = json["policy"]?.whole.flatMap({ UInt32(exactly: $0) }),
      let chain = json["chain"]?.text.flatMap({ Base64.decode($0, .standard) })
    else {
      throw KeyBrokerError(
        .malformed, "sev session: expected policy (32 bits) and chain (base64) beside tee")
    }
    self.tee = tee
    self.policy = policy
    self.chain = chain
  }
}

/// What the host says once the platform has measured the guest (`POST /sev/v0/secret`).
struct LaunchSecretRequest {
  /// Resources of one launch at most.
  static let resourcesMax = 64

  let session: String
  /// The guest policy and the processor's interface, as QEMU reports them.
  let policy: UInt32
  let api: [UInt8]
  /// LAUNCH_MEASURE's answer, 48 bytes.
  let measurement: [UInt8]
  /// What the host says that it launched, 32 bytes.
  let digest: [UInt8]
  let resources: [String]

  init(_ bytes: [UInt8]) throws(KeyBrokerError) {
    let json = try StrictJSON(parsing: bytes)
    guard let session = json["session"]?.text else {
      throw KeyBrokerError(.unknownSession, "sev secret: no session; ask for one first")
    }
    guard let policy = json["policy"]?.whole.flatMap({ UInt32(exactly: $0) }),
      let api = json["api"]?.octets(3),
      let measurement = json["measurement"]?.text.flatMap({ Base64.decode($0, .standard) }),
      let digest = json["launch-digest"]?.text.flatMap(Hex.decode),
      measurement.count == 48, digest.count == 32
    else {
      throw KeyBrokerError(
        .malformed,
        "sev secret: expected policy (32 bits), api (three numbers), measurement "
          + "(48 bytes in base64), launch-digest (32 in hexadecimal)")
    }
    let names = json["resources"]?.elements?.compactMap(\.text) ?? []
    guard (1...Self.resourcesMax).contains(names.count), Set(names).count == names.count,
      names.count == json["resources"]?.elements?.count
    else {
      throw KeyBrokerError(
        .malformed, "sev secret: expected 1 to \(Self.resourcesMax) resources, each once")
    }
    self.session = session
    self.policy = policy
    self.api = api
    self.measurement = measurement
    self.digest = digest
    resources = names
  }
}

extension KeyBrokerError {
  /// Whether a caller must not learn more than that nothing is released to it: what is missing and
  /// what is refused look alike.
  public var isOfRelease: Bool {
    [.noRule, .policyDenied, .missingResource, .alreadyReleased].contains(code)
  }
}
