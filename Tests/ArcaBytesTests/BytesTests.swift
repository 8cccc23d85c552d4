import ArcaBytes
import Crypto
import Testing

@Suite struct BytesTests {
  @Test func fieldsComeBackAsWritten() throws {
    var writer = ByteWriter()
    writer.u8(1)
    writer.u16(0x0203)
    writer.u32(0x0405_0607)
    writer.u64(0x0809_0a0b_0c0d_0e0f)
    writer.uintBE(0x1011_12, 3)
    writer.zeros(2)
    #expect(
      Hex.encode(writer.bytes) == "01" + "0302" + "07060504" + "0f0e0d0c0b0a0908" + "101112"
        + "0000")
    var reader = ByteReader([0xff] + writer.bytes)
    try reader.skip(1)
    #expect(try reader.u8() == 1)
    #expect(try reader.u16() == 0x0203)
    #expect(try reader.u32() == 0x0405_0607)
    #expect(try reader.u64() == 0x0809_0a0b_0c0d_0e0f)
    #expect(try reader.uintBE(3) == 0x1011_12)
    #expect(throws: BytesError(.trailing, at: 19)) { try reader.expectEnd() }
    #expect(try reader.array(2) == [0, 0])
    try reader.expectEnd()
  }

  @Test func noReadPassesTheEnd() {
    var reader = ByteReader([1, 2, 3])
    #expect(throws: BytesError(.truncated, at: 0)) { try reader.u32() }
    #expect(throws: BytesError(.truncated, at: 0)) { try reader.slice(-1) }
    #expect(throws: BytesError(.truncated, at: 0)) { try reader.skip(.max) }
    #expect(reader.remaining == 3)
  }

  @Test func hexRefusesAnythingElse() {
    #expect(Hex.decode("00fFa9") == [0, 255, 0xa9])
    for text in ["0", "0g", " 00", "0x00"] { #expect(Hex.decode(text) == nil) }
  }

  /// The guest's own SHA-256 against the host's, over every length around the block size.
  @Test func digestsEqualSwiftCrypto() {
    for count in Array(0...130) + [4096, 100_003] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      #expect(ManifestDigest.sha256(bytes) == Array(SHA256.hash(data: bytes)))
    }
  }
}
