/// Text that is its bytes of UTF-8 and nothing else.
///
/// Each place that joins `String`s holds the choice between their forms; a third of arca-init was
/// that, before its text was of this type.
public struct UTF8Text: ExpressibleByStringInterpolation, Equatable, Sendable {
  /// The bytes; some that are no UTF-8 stay what they are.
  public var utf8: [UInt8]

  /// The bytes of a literal.
  @inline(never)
  public init(stringLiteral literal: StaticString) { utf8 = [UInt8](ascii: literal) }

  /// The parts of an interpolation, one behind the other.
  @inline(never)
  public init(stringInterpolation parts: StringInterpolation) { utf8 = parts.utf8 }

  /// The bytes as they are.
  public init<Bytes: Collection>(decoding bytes: Bytes, as: UTF8.Type)
  where Bytes.Element == UInt8 { utf8 = [UInt8](bytes) }

  /// For C, with the NUL at its end.
  @inline(never)
  public var cString: [CChar] { utf8.map { CChar(bitPattern: $0) } + [0] }

  /// Appends `other`.
  public static func += (text: inout UTF8Text, other: UTF8Text) { text.utf8 += other.utf8 }

  /// What an interpolation may hold: text, bytes, and numbers.
  public struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var utf8: [UInt8] = []

    /// An empty one; how much there will be is not made use of.
    public init(literalCapacity: Int, interpolationCount: Int) {}

    /// Appends what stands between the values.
    @inline(never)
    public mutating func appendLiteral(_ literal: StaticString) { utf8 += [UInt8](ascii: literal) }

    /// Appends a literal's bytes.
    public mutating func appendInterpolation(_ text: StaticString) { appendLiteral(text) }

    /// Appends text.
    public mutating func appendInterpolation(_ text: UTF8Text) { append(text.utf8) }

    /// Appends bytes as they are.
    public mutating func appendInterpolation(_ utf8: some Collection<UInt8>) {
      append([UInt8](utf8))
    }

    /// Appends a number of at most 64 bits in decimal.
    public mutating func appendInterpolation(_ number: some BinaryInteger) {
      if number < 0 { appendLiteral("-") }
      append(UInt64(number.magnitude), radix: 10)
    }

    /// Appends a number in octal.
    public mutating func appendInterpolation(octal number: UInt32) {
      append(UInt64(number), radix: 8)
    }

    @inline(never)
    private mutating func append(_ bytes: [UInt8]) { utf8 += bytes }

    @inline(never)
    private mutating func append(_ number: UInt64, radix: UInt64) {
      if number >= radix { append(number / radix, radix: radix) }
      utf8.append(Hex.digit(UInt8(number % radix)))
    }
  }
}

#if ARCA_GUEST
  /// The text of what both ends compile.
  public typealias Text = UTF8Text
  /// What a literal is where nothing else says.
  public typealias StringLiteralType = UTF8Text
#else
  /// The text of what both ends compile.
  public typealias Text = String
#endif
