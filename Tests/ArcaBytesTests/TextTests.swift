import ArcaBytes
import Testing

/// The guest's text, which hosts have no other use for.
@Suite struct TextTests {
  @Test func interpolationsSayWhatStringsSay() {
    let bytes: [UInt8] = [0xe2, 0x82, 0xac]
    let text: UTF8Text = "a \(bytes) \(bytes.dropFirst()) \(UTF8Text("b")) \("c" as StaticString)"
    #expect(text.utf8 == Array("a € ".utf8) + [0x82, 0xac] + Array(" b c".utf8))
    for number in [0, 7, 10, -1, 1_000_000, .max, .min] {
      #expect(("<\(number)>" as UTF8Text).utf8 == Array("<\(number)>".utf8))
    }
    #expect(
      ("\(UInt64.max) \(UInt8(200)) \(Int32.min)" as UTF8Text).utf8
        == Array("18446744073709551615 200 -2147483648".utf8))
    for mode in [0, 0o7, 0o755, 0o7777, UInt32.max] {
      #expect(("\(octal: mode)" as UTF8Text).utf8 == Array(String(mode, radix: 8).utf8))
    }
  }

  @Test func literalsAreTheirBytes() {
    #expect(("" as UTF8Text).utf8 == [])
    #expect(("{" as UTF8Text).utf8 == [0x7b])
    #expect(("è 世" as UTF8Text).utf8 == Array("è 世".utf8))
    #expect([UInt8](ascii: "GET") == [0x47, 0x45, 0x54])
    #expect([0x47, 0x45].elementsEqual(ascii: "GE"))
    #expect(![0x47, 0x45].elementsEqual(ascii: "GET"))
    #expect([0x47, 0x45, 0x54][1...].starts(ascii: "E"))
    #expect(![0x47, 0x45].starts(ascii: "GET"))
  }

  @Test func textOfBytesIsComparedAndJoinedAsBytes() {
    // Strings would be equal: the first is composed, the second is not.
    let composed = UTF8Text(decoding: [0xc3, 0xa9], as: UTF8.self)
    #expect(composed != UTF8Text(decoding: [0x65, 0xcc, 0x81], as: UTF8.self))
    var text: UTF8Text = "a"
    text += composed
    #expect(text.utf8 == [0x61, 0xc3, 0xa9])
    #expect(text.cString == [0x61, -61, -87, 0])
    #expect(UTF8Text(decoding: [0xff, 0x00], as: UTF8.self).utf8 == [0xff, 0x00])
  }

  @Test func onlyWellFormedBytesAreUTF8() {
    // Unicode 16, table 3-7: what is not, strings repair, and so are no longer the bytes.
    var random = SystemRandomNumberGenerator()
    let leads: [UInt8] = [
      0, 0x41, 0x7f, 0x80, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4,
    ]
    let trails: [UInt8] = [0x20, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xf5, 0xff]
    var differences: [[UInt8]] = []
    for _ in 0..<200_000 {
      let bytes = (0..<Int.random(in: 0...6, using: &random)).compactMap { _ in
        Bool.random(using: &random) ? leads.randomElement() : trails.randomElement()
      }
      let repaired = String(decoding: bytes, as: UTF8.self).utf8
      if isUTF8(bytes) != repaired.elementsEqual(bytes) { differences.append(bytes) }
    }
    #expect(differences == [])
  }
}
