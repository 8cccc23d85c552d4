import ArcaBytes

/// How the guest reaches its owner's key broker, and how it knows it.
public struct KeyBrokerAccess: ManifestPart, Sendable, Equatable {
  /// `https://HOST[:PORT][/PREFIX]`, at most 512 bytes; where the host is asked to connect to.
  public var url: Text
  /// SHA-256 of the SubjectPublicKeyInfo of each key that the broker may prove in TLS.
  ///
  /// 1 to 4 of 32 bytes, as in RFC 7469, section 2.4. Nothing else authenticates the broker.
  public var publicKeys: [[UInt8]]

  init(_ fields: inout FieldReader) throws(ManifestError) {
    url = try fields.text("url", max: 512)
    guard BrokerAddress(url: url) != nil else { throw fields.fault(.value, "url") }
    publicKeys = []
    for item in try fields.array("publicKeys", max: 4) {
      guard case .bytes(let digest) = item, digest.count == 32 else {
        throw fields.fault(.value, "publicKeys")
      }
      publicKeys.append(digest)
    }
    guard !publicKeys.isEmpty else { throw fields.fault(.value, "publicKeys") }
  }
}

/// A resource of the key broker that the workload gets, as a file or a variable.
public struct Secret: ManifestPart, Sendable, Equatable {
  /// `kbs:///repository/type/tag`.
  public var resource: Text
  /// Where it goes.
  public var target: Target

  /// Where a secret goes.
  public enum Target: Sendable, Equatable {
    /// A file in memory at an absolute path.
    case file(path: Text, mode: UInt32, uid: UInt32, gid: UInt32)
    /// An environment variable of this name; the secret may hold no NUL byte.
    case variable(Text)
  }

  init(_ fields: inout FieldReader) throws(ManifestError) {
    resource = try fields.resource("resource")
    if let name = try fields.optionalText("env", max: 1024) {
      guard !name.utf8.isEmpty, !name.utf8.contains(UInt8(ascii: "=")) else {
        throw fields.fault(.value, "env")
      }
      target = .variable(name)
    } else {
      target = .file(
        path: try fields.cleanPath("path"), mode: try fields.unsigned("mode", max: 0o777),
        uid: try fields.id("uid"), gid: try fields.id("gid"))
    }
  }
}

/// A volume that the host stores and cannot read, change, or set back.
public struct EncryptedVolume: ManifestPart, Sendable, Equatable {
  /// The name by which the host knows it: 1 to 63 of `a`…`z`, `0`…`9`, `-`.
  public var name: Text
  /// Absolute path at which it is mounted.
  public var destination: Text
  /// The key broker's resource that holds its key, 32 bytes; its counter has the same path.
  public var key: Text
  /// Whether nothing may be written to it.
  public var isReadOnly: Bool

  init(_ fields: inout FieldReader) throws(ManifestError) {
    name = try fields.text("name", max: 63)
    guard EncryptedVolume.isName(name) else { throw fields.fault(.value, "name") }
    destination = try fields.cleanPath("destination")
    key = try fields.resource("key")
    isReadOnly = try fields.bool("readOnly")
  }

  /// Whether `name` is 1 to 63 of `a`…`z`, `0`…`9`, `-`, and does not start with `-`.
  public static func isName(_ name: Text) -> Bool {
    let utf8 = Array(name.utf8)
    return (1...63).contains(utf8.count) && utf8.first != UInt8(ascii: "-")
      && utf8.allSatisfy { $0.isNameByte(or: "-") && !(0x41...0x5a).contains($0) }
  }
}

/// What the workload may ask for over the guest's local HTTP address; everything defaults to no.
public struct WorkloadRules: ManifestPart, Sendable, Equatable {
  /// Evidence over data of its own (`/aa/evidence`).
  public var getEvidence = false
  /// The key broker's attestation token (`/aa/token`).
  public var getToken = false
  /// Resources (`/cdh/resource/…`): `repository/type/tag` each; a trailing `*` stands for any rest.
  public var getResources: [Text] = []

  // Comparing with the defaults would compare strings, which Embedded Swift cannot.
  /// Whether nothing is allowed.
  public var allowsNothing: Bool { !getEvidence && !getToken && getResources.isEmpty }

  /// Rules that allow nothing.
  public init() {}

  init(_ fields: inout FieldReader) throws(ManifestError) {
    getEvidence = try fields.bool("getEvidence")
    getToken = try fields.bool("getToken")
    getResources = try fields.texts("getResources", max: 64, bytesMax: 512)
    guard !allowsNothing else { throw fields.fault(.value, "getEvidence") }
  }
}
