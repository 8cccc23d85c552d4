import ArcaBytes
import ArcaImage
import Testing

@Suite struct AESXTSTests {
  private static let key = Hex.decode(
    "2718281828459045235360287471352662497757247093699959574966967627"
      + "3141592653589793238462643383279502884197169399375105820974944592")

  /// IEEE 1619-2007, annex B, vector 10: the first and the last blocks.
  @Test func theStandardsVectorHolds() throws {
    let cipher = try #require(AESXTS(key: Self.key ?? []))
    var unit = (0..<512).map { UInt8($0 & 0xff) }[...]
    try cipher.encrypt(&unit, number: 0xff)
    #expect(
      Hex.encode(Array(unit.prefix(32)))
        == "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b")
    #expect(Hex.encode(Array(unit.suffix(16))) == "c4f36ffda9fcea70b9c6e693e148c151")
  }

  @Test func aSliceIsEncryptedInItsPlace() throws {
    let cipher = try #require(AESXTS(key: Self.key ?? []))
    var whole = [UInt8](repeating: 3, count: 96)
    try cipher.encrypt(&whole[32..<64], number: 1)
    #expect(whole.prefix(32).allSatisfy { $0 == 3 } && whole.suffix(32).allSatisfy { $0 == 3 })
    #expect(!whole[32..<64].contains(3) || Set(whole[32..<64]).count > 8)
  }

  @Test func otherKeysAreRefused() {
    #expect(AESXTS(key: [UInt8](repeating: 1, count: 32)) == nil)
    // Equal halves turn the mode into something else.
    #expect(AESXTS(key: [UInt8](repeating: 1, count: 64)) == nil)
  }
}
