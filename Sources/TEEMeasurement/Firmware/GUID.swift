import ArcaBytes

/// A GUID in the mixed-endian byte order of UEFI (UEFI 2.10, appendix A).
struct GUID: Equatable, Sendable {
  /// The 16 bytes as they stand in firmware.
  let bytes: [UInt8]

  /// Takes the usual text; what is not hexadecimal there gives a GUID that equals none.
  init(_ text: String) {
    var groups: [[UInt8]] = []
    for group in text.split(separator: "-") { groups.append(Hex.decode(String(group)) ?? []) }
    for index in groups.indices where index < 3 { groups[index].reverse() }
    bytes = Array(groups.joined())
  }

  /// Takes the bytes as they stand in firmware.
  init(bytes: [UInt8]) {
    self.bytes = bytes
  }
}
