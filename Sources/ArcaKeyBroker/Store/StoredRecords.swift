/// One exchange with an attester.
public struct SessionRecord: Sendable, Equatable {
  /// 32 lowercase hexadecimal digits.
  public let id: String
  /// The nonce as sent: base64 of 32 bytes.
  ///
  /// Where secrets go in at a launch, the owner's side of the
  /// session with the platform instead, sealed under a master key.
  public let nonce: String
  /// The kind of TEE that the attester said it is.
  public let tee: AttesterKind
  /// When the session ends, in seconds since 1970.
  public let expires: Int64
  /// Whether the one attempt that the nonce is good for was made.
  public var isNonceTaken: Bool
  /// What the session was attested with (``Attested``, encoded; the launch digest where secrets go
  /// in at a launch), or nil.
  public var attestation: [UInt8]?

  /// Creates a record.
  public init(
    id: String, nonce: String, tee: AttesterKind, expires: Int64, isNonceTaken: Bool = false,
    attestation: [UInt8]? = nil
  ) {
    self.id = id
    self.nonce = nonce
    self.tee = tee
    self.expires = expires
    self.isNonceTaken = isNonceTaken
    self.attestation = attestation
  }
}

/// A resource encrypted with a key of its own, which is wrapped under a master key.
public struct SealedResource: Sendable, Equatable {
  /// The resource's path.
  public let path: ResourcePath
  /// Identifier of the master key.
  public let keyID: String
  /// The resource's key, as the master keys' keyring wrapped it.
  public let wrappedKey: [UInt8]
  /// AES-256-GCM: nonce (12 bytes), ciphertext, tag (16 bytes); the path is authenticated with it.
  public let box: [UInt8]
  /// When it was set, in seconds since 1970.
  public let updated: Int64

  /// Creates a record.
  public init(
    path: ResourcePath, keyID: String, wrappedKey: [UInt8], box: [UInt8], updated: Int64
  ) {
    self.path = path
    self.keyID = keyID
    self.wrappedKey = wrappedKey
    self.box = box
    self.updated = updated
  }
}

/// What may be shown about a resource.
public struct ResourceSummary: Sendable, Equatable {
  /// The resource's path.
  public let path: ResourcePath
  /// Bytes of its content.
  public let size: Int
  /// Identifier of the master key that its key is wrapped under.
  public let keyID: String
  /// When it was set, in seconds since 1970.
  public let updated: Int64

  /// Creates a summary.
  public init(path: ResourcePath, size: Int, keyID: String, updated: Int64) {
    self.path = path
    self.size = size
    self.keyID = keyID
    self.updated = updated
  }
}

/// How far the data that belongs to a resource has been written.
public struct GenerationCounter: Sendable, Equatable {
  /// The resource's path.
  public let path: ResourcePath
  /// The number, which only grows.
  public let generation: UInt64

  /// Creates a record.
  public init(path: ResourcePath, generation: UInt64) {
    self.path = path
    self.generation = generation
  }
}
