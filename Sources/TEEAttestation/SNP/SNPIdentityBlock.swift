import ArcaBytes
import Crypto

/// What an owner demands of a SEV-SNP launch: the security processor starts no guest whose launch
/// digest or policy differs (AMD 56860, tables 75 and 76).
public struct SNPIdentityBlock: Sendable, Equatable {
  /// Size in bytes.
  public static let byteCount = 96

  /// The launch digest, 48 bytes.
  public var launchDigest: [UInt8]
  /// The guest policy, as `policy` of the launch.
  public var policy: UInt64
  /// Family of the guest, 16 bytes; shown in reports.
  public var familyID = [UInt8](repeating: 0, count: 16)
  /// Image of the guest, 16 bytes; shown in reports.
  public var imageID = [UInt8](repeating: 0, count: 16)
  /// Security version of the guest; shown in reports.
  public var guestSVN: UInt32 = 0

  /// A block that demands `launchDigest` and `policy`.
  public init(launchDigest: [UInt8], policy: UInt64) {
    self.launchDigest = launchDigest
    self.policy = policy
  }

  /// The block's bytes: QEMU's `id-block`, decoded.
  public func encoded() throws(AttestationError) -> [UInt8] {
    for (name, field, count) in [
      ("launch digest", launchDigest, 48), ("family ID", familyID, 16), ("image ID", imageID, 16),
    ] where field.count != count {
      throw AttestationError(
        .malformed, "ID block: \(name) of \(field.count) bytes, expected \(count)")
    }
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.append(launchDigest + familyID + imageID)
    writer.u32(1)
    writer.u32(guestSVN)
    writer.u64(policy)
    return writer.bytes
  }

  /// The ID authentication structure, 4,096 bytes: QEMU's `id-auth`, decoded.
  ///
  /// The ID key signs the block, the author key signs the ID key; both are P-384, ECDSA with
  /// SHA-384.
  public func authentication(
    idKey: P384.Signing.PrivateKey, authorKey: P384.Signing.PrivateKey
  ) throws(AttestationError) -> [UInt8] {
    let publicKey = SecureProcessorKey.encode(idKey.publicKey)
    var writer = ByteWriter(capacity: 4096)
    writer.u32(1)
    writer.u32(1)
    writer.zeros(56)
    do {
      writer.append(SecureProcessorKey.signature(try idKey.signature(for: try encoded())))
      writer.append(publicKey)
      writer.zeros(60)
      writer.append(SecureProcessorKey.signature(try authorKey.signature(for: publicKey)))
    } catch let error as AttestationError {
      throw error
    } catch {
      throw AttestationError(.invalidKey, "ID block: a key does not sign: \(error)")
    }
    writer.append(SecureProcessorKey.encode(authorKey.publicKey))
    writer.zeros(4096 - writer.bytes.count)
    return writer.bytes
  }

  /// What reports show as ID_KEY_DIGEST or AUTHOR_KEY_DIGEST, 48 bytes.
  public static func digest(of key: P384.Signing.PublicKey) -> [UInt8] {
    Array(SHA384.hash(data: SecureProcessorKey.encode(key)))
  }
}
