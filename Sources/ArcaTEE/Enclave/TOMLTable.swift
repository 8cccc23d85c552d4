/// A TOML table, laid out as `gramine-sgx-sign` lays out the manifest that it signs: every byte of
/// that file is measured, so it must not matter which of the two wrote it.
///
/// A table's own values come before its tables, which follow in order, a blank line between.
public struct TOMLTable: Sendable {
  /// What a key stands for.
  public enum Value: Sendable {
    /// A basic string.
    case text(String)
    /// An integer.
    case number(UInt64)
    /// A Boolean.
    case flag(Bool)
    /// A table of its own.
    case table(TOMLTable)
    /// An array of tables: a line each where all of them fit one, else a section each.
    case tables([TOMLTable])
  }

  private static let columnsMax = 100
  private static let indent = "    "

  private var entries: [(key: String, value: Value)] = []

  /// A table of these entries, in this order.
  public init(_ entries: KeyValuePairs<String, Value>) {
    self.entries = entries.map { ($0.key, $0.value) }
  }

  /// Adds an entry behind the others.
  public mutating func append(_ key: String, _ value: Value) { entries.append((key, value)) }

  /// The document whose root the table is.
  public var text: String { block(name: "", isElement: false) }

  private func block(name: String, isElement: Bool) -> String {
    var own = ""
    var blocks: [String] = []
    for (key, value) in entries {
      let path = (name.isEmpty ? "" : name + ".") + Self.key(key)
      switch value {
      case .table(let table): blocks.append(table.block(name: path, isElement: false))
      case .tables(let tables) where !tables.allSatisfy(\.fitsOneLine):
        blocks += tables.map { $0.block(name: path, isElement: true) }
      default: own += "\(Self.key(key)) = \(Self.literal(value))\n"
      }
    }
    if isElement {
      own = "[[\(name)]]\n" + own
    } else if !name.isEmpty, !own.isEmpty || blocks.isEmpty {
      own = "[\(name)]\n" + own
    }
    return ((own.isEmpty ? [] : [own]) + blocks).joined(separator: "\n")
  }

  private var inline: String {
    guard !entries.isEmpty else { return "{}" }
    let parts = entries.map { "\(Self.key($0.key)) = \(Self.literal($0.value))" }
    return "{ \(parts.joined(separator: ", ")) }"
  }

  private var fitsOneLine: Bool {
    let line = Self.indent + inline + ","
    return line.unicodeScalars.count <= Self.columnsMax && !line.contains("\n")
  }

  private static func literal(_ value: Value) -> String {
    switch value {
    case .text(let text): return "\"\(TOMLString.escaped(text))\""
    case .number(let number): return String(number)
    case .flag(let flag): return flag ? "true" : "false"
    case .table(let table): return table.inline
    case .tables(let tables):
      guard !tables.isEmpty else { return "[]" }
      return "[\n" + tables.map { "\(indent)\($0.inline),\n" }.joined() + "]"
    }
  }

  private static func key(_ key: String) -> String {
    let isBare = key.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
    return isBare && !key.isEmpty ? key : "\"\(TOMLString.escaped(key))\""
  }
}

/// Basic strings (TOML 1.0, "String"), without their quotation marks.
public enum TOMLString {
  private static let short: [Unicode.Scalar: String] = [
    "\u{8}": "b", "\n": "n", "\u{c}": "f", "\r": "r", "\"": "\"", "\\": "\\",
  ]

  /// `text` with what must not stand in a string escaped.
  public static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      if let letter = short[scalar] {
        escaped += "\\" + letter
      } else if scalar != "\t", scalar.value < 0x20 || scalar.value == 0x7f {
        let digits = String(scalar.value, radix: 16)
        escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// The text that ``escaped(_:)`` made `bytes` of; nil where it makes no such bytes.
  static func unescaped(_ bytes: some Sequence<UInt8>) -> String? {
    var plain: [UInt8] = []
    var rest = Array(bytes)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        plain.append(byte)
        continue
      }
      guard let mark = rest.popFirst() else { return nil }
      if mark == UInt8(ascii: "u") {
        guard let value = UInt8(String(decoding: rest.prefix(4), as: UTF8.self), radix: 16) else {
          return nil
        }
        plain.append(value)
        rest = rest.dropFirst(4)
      } else {
        let letter = String(Unicode.Scalar(mark))
        guard let scalar = short.first(where: { $0.value == letter })?.key else { return nil }
        plain.append(UInt8(truncatingIfNeeded: scalar.value))
      }
    }
    return String(decoding: plain, as: UTF8.self)
  }
}
