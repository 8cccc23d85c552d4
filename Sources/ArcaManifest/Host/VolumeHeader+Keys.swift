import ArcaBytes

// With plain Swift in place of the guest's crypto library; a guest is compiled without this file.

extension VolumeHeader {
  /// Reads `block`; nil where it is not one that was written under `key`.
  public init?(_ block: [UInt8], key: [UInt8]) {
    self.init(block, key: key, KeyDerivation.hmac)
  }

  /// The block for `key`.
  public func block(key: [UInt8]) -> [UInt8] { block(key: key, KeyDerivation.hmac) }

  /// The 16-byte key of the volume's data: one for each time that it is formatted.
  public func dataKey(from key: [UInt8]) -> [UInt8] { dataKey(from: key, KeyDerivation.hmac) }
}
