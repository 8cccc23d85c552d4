import ArcaBytes

/// What a volume says about itself, in a block that only the holder of its key can write
/// (docs/volumes.md).
///
/// The block is the host's until its authentication code has been checked; that comes first.
public struct VolumeHeader: Sendable, Equatable {
  /// The size of the block that holds it.
  public static let blockBytes = 4096
  /// The size of a volume's key.
  public static let keyBytes = 32
  private static let magic = [UInt8](ascii: "ARCAVOL1")
  private static let authenticatedBytes = 64

  /// How often the volume has been opened; the key broker's counter follows it.
  public var generation: UInt64
  /// The size of the disk in sectors of 512 bytes.
  public var diskSectors: UInt64
  /// How many sectors of 512 bytes the volume has for its file system.
  public var dataSectors: UInt64
  /// Random, made when the volume was formatted; 32 bytes.
  public var salt: [UInt8]

  /// A header of these parts.
  public init(generation: UInt64, diskSectors: UInt64, dataSectors: UInt64, salt: [UInt8]) {
    self.generation = generation
    self.diskSectors = diskSectors
    self.dataSectors = dataSectors
    self.salt = salt
  }

  /// Reads `block`; nil where it is not one that was written under `key`.
  public init?(_ block: [UInt8], key: [UInt8], _ hmac: KeyDerivation.HMAC) {
    guard block.count == Self.blockBytes else { return nil }
    let authenticated = Array(block[..<Self.authenticatedBytes])
    let code = block[Self.authenticatedBytes...]
    var difference: UInt8 = 0
    for (found, expected) in zip(code, Self.code(authenticated, key, hmac)) {
      difference |= found ^ expected
    }
    guard difference == 0 else { return nil }
    guard authenticated.starts(with: Self.magic) else { return nil }
    generation = authenticated[8..<16].littleEndian
    diskSectors = authenticated[16..<24].littleEndian
    dataSectors = authenticated[24..<32].littleEndian
    salt = Array(authenticated[32...])
  }

  /// The block for `key`.
  public func block(key: [UInt8], _ hmac: KeyDerivation.HMAC) -> [UInt8] {
    let numbers = [generation, diskSectors, dataSectors].flatMap { $0.littleEndianBytes }
    var block = Self.magic + numbers + salt
    block += Self.code(block, key, hmac)
    return block + [UInt8](repeating: 0, count: Self.blockBytes - block.count)
  }

  /// The 16-byte key of the volume's data: one for each time that it is formatted.
  public func dataKey(from key: [UInt8], _ hmac: KeyDerivation.HMAC) -> [UInt8] {
    KeyDerivation.key(16, from: key, salt: salt, purpose: "arca volume data v1", hmac)
  }

  private static func code(
    _ bytes: [UInt8], _ key: [UInt8], _ hmac: KeyDerivation.HMAC
  ) -> [UInt8] {
    let key = KeyDerivation.key(32, from: key, salt: [], purpose: "arca volume header v1", hmac)
    return hmac(bytes, key)
  }

  /// What is to be done with a volume whose newest header is `header`, where the key broker's
  /// counter stands at `counter`.
  public static func decide(
    _ header: VolumeHeader?, counter: UInt64, diskSectors: UInt64, isBlank: Bool
  ) -> Decision {
    guard let header else {
      if counter > 0 { return .refused(.replaced) }
      return isBlank ? .format : .refused(.foreign)
    }
    guard header.diskSectors == diskSectors, header.dataSectors < diskSectors else {
      return .refused(.resized)
    }
    if header.generation < counter { return .refused(.rolledBack) }
    if header.generation == counter { return .advance(header, headerToo: true) }
    // One ahead: the last start ended between the header and the counter.
    return header.generation - counter == 1 ? .advance(header, headerToo: false) : .refused(.ahead)
  }

  /// What ``decide(_:counter:diskSectors:isBlank:)`` says.
  public enum Decision: Sendable, Equatable {
    /// The volume is new: it may be formatted.
    case format
    /// The volume is the newest: the counter is to be advanced, after the header where that has
    /// not been done yet.
    case advance(VolumeHeader, headerToo: Bool)
    /// The volume may not be used.
    case refused(Reason)
  }

  /// Why a volume is refused, in words.
  public enum Reason: Text, Sendable {
    /// The key has been used before, and nothing on the disk was written under it.
    case replaced =
      "nothing on its disk is of its key, which has been used before: it was wiped or replaced"
    /// The key has never been used, but the disk is not blank.
    case foreign =
      "its disk is not blank, and its key has never been used; use another or remove it"
    /// The disk does not have the size that it was formatted with.
    case resized = "its disk does not have the size that it was formatted with"
    /// An older state than the newest that the key broker knows of.
    case rolledBack = "its disk was put back to an older state"
    /// A newer state than the key broker knows of: it has lost its state.
    case ahead = "its disk is newer than the key broker's counter, which was put back"
  }
}
