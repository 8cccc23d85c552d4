/// A JSON text as a tree, for documents from outside.
///
/// Read strictly (RFC 8259, and I-JSON where that leaves a choice): UTF-8, no duplicate member, no
/// lone surrogate, numbers whole and of 64 bits, bounded depth. Written
/// as the JSON Canonicalization Scheme demands (RFC 8785).
public enum StrictJSON: Sendable, Equatable {
  /// The literal `null`.
  case null
  /// A literal `true` or `false`.
  case bool(Bool)
  /// A whole number, not negative; nothing in the protocol has another.
  case number(UInt64)
  /// A string.
  case string(String)
  /// An array.
  case array([StrictJSON])
  /// An array of whole numbers below 256, one at least, as certificates come; equal to the same
  /// numbers in ``array(_:)``, and read as this kind.
  case octets([UInt8])
  /// An object, members in the order of the text.
  case object([Member])

  /// A member of an object.
  public struct Member: Sendable, Equatable {
    /// The member's name.
    public let name: String
    /// The member's value.
    public let value: StrictJSON

    /// Creates a member.
    public init(_ name: String, _ value: StrictJSON) {
      self.name = name
      self.value = value
    }
  }

  /// Creates an object with members in the given order.
  public static func members(_ members: (String, StrictJSON)...) -> StrictJSON {
    .object(members.map { Member($0.0, $0.1) })
  }

  /// The member `name` of an object, or nil.
  public subscript(name: String) -> StrictJSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// The string, or nil for another kind of value.
  public var text: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The number, or nil for another kind of value.
  public var whole: UInt64? {
    if case .number(let number) = self { number } else { nil }
  }

  /// The elements, or nil for another kind of value.
  public var elements: [StrictJSON]? {
    switch self {
    case .array(let elements): elements
    case .octets(let bytes): bytes.map { .number(UInt64($0)) }
    default: nil
    }
  }

  /// Whether the value is the literal `null`.
  public var isNull: Bool { if case .null = self { true } else { false } }

  /// Compares values; members in another order differ.
  public static func == (left: Self, right: Self) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.bool(let left), .bool(let right)): left == right
    case (.number(let left), .number(let right)): left == right
    case (.string(let left), .string(let right)): left == right
    case (.object(let left), .object(let right)): left == right
    case (.octets(let left), .octets(let right)): left == right
    case (.array, .array), (.array, .octets), (.octets, .array): left.elements == right.elements
    default: false
    }
  }

  /// The compact text, members in the order they have here.
  public var compact: String {
    var out: [UInt8] = []
    write(&out, sorted: false)
    return String(decoding: out, as: UTF8.self)
  }

  /// The canonical text: no white space, members sorted by UTF-16 code units (RFC 8785).
  public var canonical: String {
    var out: [UInt8] = []
    write(&out, sorted: true)
    return String(decoding: out, as: UTF8.self)
  }

  private func write(_ out: inout [UInt8], sorted: Bool) {
    switch self {
    case .null: out += "null".utf8
    case .bool(let flag): out += (flag ? "true" : "false").utf8
    case .number(let number): out += "\(number)".utf8
    case .string(let text): Self.write(text, &out)
    case .array(let elements):
      out.append(0x5B)
      for (index, element) in elements.enumerated() {
        if index > 0 { out.append(0x2C) }
        element.write(&out, sorted: sorted)
      }
      out.append(0x5D)
    case .octets(let bytes):
      out.append(0x5B)
      for (index, byte) in bytes.enumerated() {
        if index > 0 { out.append(0x2C) }
        if byte >= 100 { out.append(0x30 + byte / 100) }
        if byte >= 10 { out.append(0x30 + byte / 10 % 10) }
        out.append(0x30 + byte % 10)
      }
      out.append(0x5D)
    case .object(let members):
      out.append(0x7B)
      let ordered =
        sorted
        ? members.sorted { $0.name.utf16.lexicographicallyPrecedes($1.name.utf16) } : members
      for (index, member) in ordered.enumerated() {
        if index > 0 { out.append(0x2C) }
        Self.write(member.name, &out)
        out.append(0x3A)
        member.value.write(&out, sorted: sorted)
      }
      out.append(0x7D)
    }
  }

  // RFC 8785, section 3.2.2.2: short escapes where JSON has them, \u00xx for other controls,
  // everything else as it is.
  private static func write(_ text: String, _ out: inout [UInt8]) {
    out.append(0x22)
    let bytes = text.utf8.span
    var plain = 0
    while plain < bytes.count, bytes[plain] >= 0x20, bytes[plain] != 0x22, bytes[plain] != 0x5C {
      plain += 1
    }
    if plain == bytes.count {
      // Nothing to be escaped, as in nearly every text, is copied at once.
      out.append(contentsOf: text.utf8)
      out.append(0x22)
      return
    }
    for byte in text.utf8 {
      switch byte {
      case 0x22, 0x5C: out += [0x5C, byte]
      case 0x08: out += [0x5C, 0x62]
      case 0x09: out += [0x5C, 0x74]
      case 0x0A: out += [0x5C, 0x6E]
      case 0x0C: out += [0x5C, 0x66]
      case 0x0D: out += [0x5C, 0x72]
      case 0..<0x20:
        let digits = Array("0123456789abcdef".utf8)
        out += [0x5C, 0x75, 0x30, 0x30, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: out.append(byte)
      }
    }
    out.append(0x22)
  }
}
