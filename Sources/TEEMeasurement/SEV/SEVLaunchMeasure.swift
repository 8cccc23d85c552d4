import ArcaBytes
import Crypto

/// The value with which a SEV or SEV-ES platform answers LAUNCH_MEASURE (AMD 55766, section 6.5).
///
/// The guest's owner compares it before handing in a secret. It is keyed with the transport
/// integrity key that only the owner and the platform know.
public struct SEVLaunchMeasure: Sendable, Equatable {
  /// HMAC-SHA-256 over the launch; 32 bytes.
  public let measurement: [UInt8]
  /// The platform's nonce; 16 bytes.
  public let nonce: [UInt8]

  /// The blob as QEMU's `query-sev-launch-measure` gives it, decoded from Base64.
  public var blob: [UInt8] { measurement + nonce }

  /// Computes the measurement that is expected.
  ///
  /// - Parameters:
  ///   - launchDigest: from ``SEVLaunch``; 32 bytes.
  ///   - policy: the guest policy.
  ///   - api: major and minor version of the platform's interface, and its build.
  ///   - nonce: the platform's nonce; 16 bytes.
  ///   - integrityKey: the TIK; 16 bytes.
  /// - Throws: ``MeasurementError`` with `lengthWrong`.
  public init(
    launchDigest: [UInt8], policy: UInt32, api: (major: UInt8, minor: UInt8, build: UInt8),
    nonce: [UInt8], integrityKey: [UInt8]
  ) throws(MeasurementError) {
    for (name, found, expected) in [
      ("launch digest", launchDigest.count, 32), ("nonce", nonce.count, 16),
      ("transport integrity key", integrityKey.count, 16),
    ] where found != expected {
      throw MeasurementError(
        .lengthWrong, "the \(name) has \(found) bytes, expected \(expected)")
    }
    var message = ByteWriter(capacity: 64)
    message.append([4, api.major, api.minor, api.build])
    message.u32(policy)
    message.append(launchDigest)
    message.append(nonce)
    let key = SymmetricKey(data: integrityKey)
    measurement = Array(HMAC<SHA256>.authenticationCode(for: message.bytes, using: key))
    self.nonce = nonce
  }
}
