import Crypto

/// A runtime measurement register of a TD, which starts at zero and is only ever extended.
public struct RTMR: Sendable, Equatable {
  /// Bytes in the register and in every digest that extends it.
  public static let byteCount = 48

  /// The register's contents; 48 bytes.
  public private(set) var value = [UInt8](repeating: 0, count: byteCount)

  /// Starts at zero, as a TD does.
  public init() {}

  /// Replays the event digests in order; each has 48 bytes.
  public init(replaying digests: [[UInt8]]) throws(MeasurementError) {
    for digest in digests { try extend(digest) }
  }

  /// Extends the register as TDG.MR.RTMR.EXTEND does: SHA-384 of its contents and `digest`.
  public mutating func extend(_ digest: [UInt8]) throws(MeasurementError) {
    guard digest.count == Self.byteCount else {
      throw MeasurementError(
        .lengthWrong, "an RTMR event digest has 48 bytes, but \(digest.count) were given")
    }
    value = Array(SHA384.hash(data: value + digest))
  }
}

/// The digests of events that OVMF measures into RTMRs in every boot (TCG PC Client Firmware
/// Profile, section 10.4), each the SHA-384 of the event's fixed data; 48 bytes.
public enum RTMREvent {
  /// The separator between firmware and boot loader: four zero bytes.
  public static let separator = digest([0, 0, 0, 0])
  /// The firmware is about to start a boot option.
  public static let callingApplication = digest("Calling EFI Application from Boot Option")
  /// The kernel asked to end boot services.
  public static let exitBootServicesInvocation = digest("Exit Boot Services Invocation")
  /// Boot services ended.
  public static let exitBootServicesSuccess = digest("Exit Boot Services Returned with Success")
  /// The UEFI variables of Secure Boot where none of them is set: SecureBoot, PK, KEK, db, dbx.
  public static let unsetSecureBootVariables: [(name: String, digest: [UInt8])] = {
    let global = GUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
    let security = GUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
    return [
      ("SecureBoot", global), ("PK", global), ("KEK", global), ("db", security), ("dbx", security),
    ].map { ($0.0, variable($0.0, of: $0.1, data: [])) }
  }()
  /// The boot order of a machine with one boot option, number 0.
  public static let bootOrder = digest([0, 0])

  /// A kernel command line as the kernel's EFI stub measures it: UTF-16LE with a final NUL.
  public static func commandLine(_ text: String) -> [UInt8] {
    digest(utf16(text) + [0, 0])
  }

  /// The digest of event data; 48 bytes.
  public static func digest(_ data: [UInt8]) -> [UInt8] { Array(SHA384.hash(data: data)) }

  private static func digest(_ text: StaticString) -> [UInt8] {
    digest(Array(text.description.utf8))
  }

  private static func utf16(_ text: String) -> [UInt8] {
    text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
  }

  /// UEFI_VARIABLE_DATA: GUID, number of characters, number of bytes, name, data.
  private static func variable(_ name: String, of vendor: GUID, data: [UInt8]) -> [UInt8] {
    func u64(_ value: Int) -> [UInt8] {
      (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    return digest(
      vendor.bytes + u64(name.utf16.count) + u64(data.count) + utf16(name) + data)
  }
}
