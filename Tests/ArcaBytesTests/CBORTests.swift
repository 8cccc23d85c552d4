import ArcaBytes
import Testing

@Suite struct CBORTests {
  /// Encodings of RFC 8949, appendix A, within the subset.
  @Test(arguments: [
    "00", "17", "1818", "18ff", "190100", "19ffff", "1a00010000", "1b0000000100000000",
    "1bffffffffffffffff", "40", "4401020304", "60", "6161", "62c3bc", "63e6b0b4", "64f0908591",
    "80", "83010203", "a0", "a26161016162820203", "f4", "f5", "f6",
  ])
  func aValueComesBackAsItWas(_ hex: String) throws {
    let bytes = try #require(Hex.decode(hex))
    #expect(try CBOR.decode(bytes).encoded() == bytes)
  }

  @Test(arguments: [
    // Integers and lengths longer than needed.
    ("1817", BytesError.Code.notDeterministic), ("1900ff", .notDeterministic),
    ("1a0000ffff", .notDeterministic), ("1b00000000ffffffff", .notDeterministic),
    ("5801aa", .notDeterministic), ("780161", .notDeterministic),
    // Map keys out of order (the shorter first), and twice.
    ("a2616201616102", .notDeterministic), ("a262616101616102", .notDeterministic),
    ("a2616101616102", .notDeterministic),
    // Indefinite lengths, negatives, tags, floats, undefined, other simple values.
    ("9fff", .invalid), ("5fff", .invalid), ("bfff", .invalid), ("20", .invalid),
    ("c000", .invalid),
    ("f90000", .invalid), ("f7", .invalid), ("f0", .invalid), ("1c", .invalid), ("ff", .invalid),
    // A key that is not text.
    ("a10102", .invalid),
    // Cut off, and with bytes behind.
    ("", .truncated), ("18", .truncated), ("41", .truncated), ("8101ff", .trailing),
    ("81", .truncated), ("a16161", .truncated), ("0000", .trailing),
    ("9bffffffffffffffff", .truncated), ("5bffffffffffffffff", .truncated),
    // Not UTF-8: a bare continuation, an overlong form, a surrogate, past U+10FFFF, cut off.
    ("6180", .notUTF8), ("62c080", .notUTF8), ("63eda080", .notUTF8), ("64f4908080", .notUTF8),
    ("61c3", .notUTF8),
  ])
  func whatIsNotDeterministicIsRefused(_ hex: String, _ code: BytesError.Code) throws {
    let bytes = try #require(Hex.decode(hex))
    let error = #expect(throws: BytesError.self) { try CBOR.decode(bytes) }
    #expect(error?.code == code)
  }

  @Test func nestingIsBounded() throws {
    let deepest = [UInt8](repeating: 0x81, count: CBOR.depthMax) + [0]
    #expect(try CBOR.decode(deepest).encoded() == deepest)
    let error = #expect(throws: BytesError.self) { try CBOR.decode([0x81] + deepest) }
    #expect(error?.code == .tooDeep)
  }

  @Test func itemsAreBounded() {
    let bytes = CBOR.array([CBOR](repeating: .null, count: CBOR.itemsMax)).encoded()
    let error = #expect(throws: BytesError.self) { try CBOR.decode(bytes) }
    #expect(error?.code == .tooLarge)
  }

  @Test func keysAreSortedWhenEncoded() {
    let map = CBOR.map([
      CBOR.Entry(Array("bb".utf8), .unsigned(1)), CBOR.Entry(Array("c".utf8), .unsigned(2)),
      CBOR.Entry(Array("a".utf8), .unsigned(3)),
    ])
    #expect(Hex.encode(map.encoded()) == "a3" + "616103" + "616302" + "62626201")
  }
}
