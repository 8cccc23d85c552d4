extension [UInt8] {
  /// The bytes of a literal.
  @inline(never)
  public init(ascii text: StaticString) {
    // SAFETY: a literal's bytes are there as long as the program.
    self = text.withUTF8Buffer { unsafe Array($0) }
  }
}

extension Collection where Element == UInt8 {
  /// Whether these are the bytes of a literal.
  @inline(never)
  public func elementsEqual(ascii text: StaticString) -> Bool {
    elementsEqual([UInt8](ascii: text))
  }

  /// Whether these start with the bytes of a literal.
  @inline(never)
  public func starts(ascii text: StaticString) -> Bool { starts(with: [UInt8](ascii: text)) }
}
