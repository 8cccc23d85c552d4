/// One DER element: its tag and where it is in the bytes that hold it.
public struct DERElement: Sendable {
  /// The identifier octet; only single-octet tags occur in what the vendors issue.
  public let tag: UInt8
  /// Where the identifier octet is.
  public let start: Int
  /// Where the content octets are.
  public let content: Range<Int>

  /// The whole element, identifier and length octets included.
  public var whole: Range<Int> { start..<content.upperBound }
}

/// Reads DER (ITU-T X.690, section 10) element by element: definite minimal lengths, no trailing
/// bytes, nothing allocated.
///
/// A verification walks through ten and more certificates of which it uses a few fields, so a
/// reader that hands out ranges costs a small part of one that builds a tree of every element.
public struct DERReader: Sendable {
  /// Identifier octets used by certificates and revocation lists.
  public enum Tag {
    /// BOOLEAN.
    public static let boolean: UInt8 = 0x01
    /// INTEGER.
    public static let integer: UInt8 = 0x02
    /// BIT STRING.
    public static let bitString: UInt8 = 0x03
    /// OCTET STRING.
    public static let octetString: UInt8 = 0x04
    /// NULL.
    public static let null: UInt8 = 0x05
    /// OBJECT IDENTIFIER.
    public static let oid: UInt8 = 0x06
    /// ENUMERATED.
    public static let enumerated: UInt8 = 0x0A
    /// IA5String.
    public static let ia5String: UInt8 = 0x16
    /// UTCTime.
    public static let utcTime: UInt8 = 0x17
    /// GeneralizedTime.
    public static let generalizedTime: UInt8 = 0x18
    /// SEQUENCE, constructed.
    public static let sequence: UInt8 = 0x30
    /// SET, constructed.
    public static let set: UInt8 = 0x31

    /// The explicit context-specific tag `number`, constructed.
    public static func context(_ number: UInt8) -> UInt8 { 0xA0 | number }
  }

  /// The bytes that element ranges index.
  public let bytes: [UInt8]
  private var position: Int
  private let end: Int

  /// Reads all of `bytes`.
  public init(_ bytes: [UInt8]) {
    self.init(bytes, 0..<bytes.count)
  }

  /// Reads the part `range` of `bytes`, cut to what is there.
  public init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    let inside = range.clamped(to: 0..<bytes.count)
    position = inside.lowerBound
    end = inside.upperBound
  }

  /// Whether every byte has been read.
  public var isAtEnd: Bool { position >= end }

  /// The next element's tag, or nil at the end.
  public var nextTag: UInt8? { position < end ? bytes[position] : nil }

  /// Reads the next element, whatever its tag.
  public mutating func element() throws(AttestationError) -> DERElement {
    let start = position
    guard end - start >= 2 else { throw fault("truncated", start) }
    let tag = bytes[start]
    guard tag & 0x1F != 0x1F else { throw fault("multi-octet tag", start) }
    var length = Int(bytes[start + 1])
    var from = start + 2
    if length >= 0x80 {
      let count = length & 0x7F
      guard count >= 1, count <= 3, end - from >= count else { throw fault("length", start) }
      length = 0
      for index in from..<from + count { length = length << 8 | Int(bytes[index]) }
      from += count
      guard length >= 0x80, length >> (8 * (count - 1)) != 0 else {
        throw fault("length is not minimal", start)
      }
    }
    guard length <= end - from else { throw fault("length exceeds its container", start) }
    position = from + length
    return DERElement(tag: tag, start: start, content: from..<from + length)
  }

  /// Reads the next element, which must have the tag `tag`.
  public mutating func element(_ tag: UInt8) throws(AttestationError) -> DERElement {
    let start = position
    let found = try element()
    guard found.tag == tag else { throw fault("tag \(found.tag), expected \(tag)", start) }
    return found
  }

  /// Reads the next element, which must have the tag `tag`, and returns a reader of its content.
  public mutating func nested(_ tag: UInt8 = Tag.sequence) throws(AttestationError) -> DERReader {
    DERReader(bytes, try element(tag).content)
  }

  /// Reads the next element if it has the tag `tag`, else reads nothing and returns nil.
  public mutating func optional(_ tag: UInt8) throws(AttestationError) -> DERElement? {
    nextTag == tag ? try element() : nil
  }

  /// Reads an INTEGER that must fit into 0...2^31-1.
  public mutating func smallInteger() throws(AttestationError) -> Int {
    let start = position
    let content = try integer()
    guard content.count <= 4, bytes[content.lowerBound] < 0x80 else {
      throw fault("integer out of range", start)
    }
    return content.reduce(0) { $0 << 8 | Int(bytes[$1]) }
  }

  /// Reads an INTEGER and returns where its content octets are: two's complement, minimal.
  public mutating func integer() throws(AttestationError) -> Range<Int> {
    let start = position
    let content = try element(Tag.integer).content
    guard let first = content.first else { throw fault("empty integer", start) }
    if content.count > 1 {
      let redundant: UInt8 = bytes[first + 1] < 0x80 ? 0x00 : 0xFF
      guard bytes[first] != redundant else { throw fault("integer is not minimal", start) }
    }
    return content
  }

  /// Reads a BOOLEAN.
  public mutating func boolean() throws(AttestationError) -> Bool {
    let start = position
    let content = try element(Tag.boolean).content
    guard content.count == 1, let at = content.first, bytes[at] == 0 || bytes[at] == 0xFF else {
      throw fault("boolean", start)
    }
    return bytes[at] == 0xFF
  }

  /// Reads a BIT STRING without unused bits and returns where its octets are.
  public mutating func wholeBitString() throws(AttestationError) -> Range<Int> {
    let start = position
    let content = try element(Tag.bitString).content
    guard let first = content.first, bytes[first] == 0 else { throw fault("bit string", start) }
    return first + 1..<content.upperBound
  }

  /// Demands that every byte has been read.
  public func expectEnd() throws(AttestationError) {
    guard isAtEnd else { throw fault("trailing bytes", position) }
  }

  private func fault(_ what: String, _ offset: Int) -> AttestationError {
    AttestationError(.malformed, "DER at byte \(offset): \(what)")
  }
}
