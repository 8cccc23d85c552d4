/// The name of a JSON object's member, packed so that comparing two costs three words.
///
/// Names longer than ``byteCountMax`` are told apart by length and beginning only, so none of
/// them may be a name that is looked for.
public struct JSONKey: Equatable, Sendable {
  /// How many bytes of a name are kept.
  public static let byteCountMax = 24

  private var first: UInt64 = 0
  private var second: UInt64 = 0
  private var third: UInt64 = 0
  private var count = 0

  /// The packed form of `name`, which has at most ``byteCountMax`` bytes of ASCII.
  public init(_ name: String) {
    for byte in name.utf8 { append(byte) }
  }

  init() {}

  mutating func append(_ byte: UInt8) {
    if count < 8 {
      first = first << 8 | UInt64(byte)
    } else if count < 16 {
      second = second << 8 | UInt64(byte)
    } else if count < JSONKey.byteCountMax {
      third = third << 8 | UInt64(byte)
    }
    count += 1
  }
}
