/// How the guest reaches its owner's key broker, and how it knows it.
public struct KeyBrokerAccess: Sendable, Equatable {
  /// `https://HOST[:PORT][/PREFIX]`, at most 512 bytes; where the host is asked to connect to.
  public var url: String
  /// SHA-256 of the SubjectPublicKeyInfo of each key that the broker may prove in TLS.
  ///
  /// 1 to 4 of 32 bytes, as in RFC 7469, section 2.4. Nothing else authenticates the broker.
  public var publicKeys: [[UInt8]]

  /// Access to the broker at `url`.
  public init(url: String, publicKeys: [[UInt8]]) {
    self.url = url
    self.publicKeys = publicKeys
  }
}

/// A resource of the key broker that the workload gets, as a file or a variable.
public struct Secret: Sendable, Equatable {
  /// `kbs:///repository/type/tag`.
  public var resource: String
  /// Where it goes.
  public var target: Target

  /// Where a secret goes.
  public enum Target: Sendable, Equatable {
    /// A file in memory at an absolute path.
    case file(path: String, mode: UInt32, uid: UInt32, gid: UInt32)
    /// An environment variable of this name; the secret may hold no NUL byte.
    case variable(String)
  }

  /// A secret that goes to `target`.
  public init(resource: String, target: Target) {
    self.resource = resource
    self.target = target
  }
}

/// A volume that the host stores and cannot read, change, or set back.
public struct EncryptedVolume: Sendable, Equatable {
  /// The name by which the host knows it: 1 to 63 of `a`…`z`, `0`…`9`, `-`.
  public var name: String
  /// Absolute path at which it is mounted.
  public var destination: String
  /// The key broker's resource that holds its key, 32 bytes; its counter has the same path.
  public var key: String
  /// Whether nothing may be written to it.
  public var isReadOnly: Bool

  /// A volume `name` at `destination`.
  public init(name: String, destination: String, key: String, isReadOnly: Bool = false) {
    self.name = name
    self.destination = destination
    self.key = key
    self.isReadOnly = isReadOnly
  }
}

/// What the workload may ask for over the guest's local HTTP address; everything defaults to no.
public struct WorkloadRules: Sendable, Equatable {
  /// Evidence over data of its own (`/aa/evidence`).
  public var getEvidence = false
  /// The key broker's attestation token (`/aa/token`).
  public var getToken = false
  /// Resources (`/cdh/resource/…`): `repository/type/tag` each; a trailing `*` stands for any rest.
  public var getResources: [String] = []

  // Comparing with the defaults would compare strings, which Embedded Swift cannot.
  /// Whether nothing is allowed.
  public var allowsNothing: Bool { !getEvidence && !getToken && getResources.isEmpty }

  /// Rules that allow nothing.
  public init() {}
}
