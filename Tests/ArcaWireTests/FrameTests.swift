import ArcaBytes
import ArcaWire
import Testing

@Suite struct FrameTests {
  /// Every byte of a frame, as docs/specification.md lays it out.
  static let annotated: [(frame: Frame, hex: String)] = [
    // version 1 | channel 0 control | type | session 0 | length, little-endian | payload
    (HostMessage.manifest([0xa0]).frame, "01" + "00" + "01" + "00" + "01000000" + "a0"),
    (HostMessage.hostInput([0xa0]).frame, "01" + "00" + "02" + "00" + "01000000" + "a0"),
    (HostMessage.start.frame, "01" + "00" + "03" + "00" + "00000000"),
    (HostMessage.evidence([7, 8]).frame, "01" + "00" + "04" + "00" + "02000000" + "0708"),
    (HostMessage.signal(15).frame, "01" + "00" + "05" + "00" + "01000000" + "0f"),
    // rows 24, columns 80, 16 bits each, little-endian
    (
      HostMessage.windowSize(rows: 24, columns: 80).frame,
      "01" + "00" + "06" + "00" + "04000000" + "1800" + "5000"
    ),
    // channel 1: standard input
    (HostMessage.input([0x68, 0x69]).frame, "01" + "01" + "01" + "00" + "02000000" + "6869"),
    (HostMessage.inputEnd.frame, "01" + "01" + "02" + "00" + "00000000"),
    // a grant of 65536 bytes on channel 2, standard output
    (
      HostMessage.credit(.standardOutput, 65_536).frame,
      "01" + "02" + "03" + "00" + "04000000" + "00000100"
    ),
    (GuestMessage.ready.frame, "01" + "00" + "01" + "00" + "00000000"),
    (
      GuestMessage.evidenceRequest([UInt8](repeating: 0xee, count: 64)).frame,
      "01" + "00" + "02" + "00" + "40000000" + String(repeating: "ee", count: 64)
    ),
    (GuestMessage.started.frame, "01" + "00" + "03" + "00" + "00000000"),
    (GuestMessage.exit(137).frame, "01" + "00" + "04" + "00" + "01000000" + "89"),
    // code 10 command not found, then text
    (
      GuestMessage.failure(.commandNotFound, detail: [0x78]).frame,
      "01" + "00" + "05" + "00" + "02000000" + "0a" + "78"
    ),
    (GuestMessage.log([0x79]).frame, "01" + "00" + "06" + "00" + "01000000" + "79"),
    (
      GuestMessage.output(.standardError, [0x7a]).frame,
      "01" + "03" + "01" + "00" + "01000000" + "7a"
    ),
    (GuestMessage.outputEnd(.standardOutput).frame, "01" + "02" + "02" + "00" + "00000000"),
    (GuestMessage.inputCredit(1).frame, "01" + "01" + "03" + "00" + "04000000" + "01000000"),
  ]

  @Test func everyFrameHasItsBytes() {
    for (frame, hex) in Self.annotated {
      var writer = ByteWriter()
      frame.write(to: &writer)
      #expect(Hex.encode(writer.bytes) == hex)
    }
  }

  @Test func framesComeBackHoweverTheStreamIsCut() throws {
    var writer = ByteWriter()
    for (frame, _) in Self.annotated { frame.write(to: &writer) }
    for piece in [1, 3, 7, writer.bytes.count] {
      var decoder = FrameDecoder()
      var types: [UInt8] = []
      var start = 0
      while start < writer.bytes.count {
        decoder.append(writer.bytes[start..<min(start + piece, writer.bytes.count)])
        start += piece
        while let frame = try decoder.next() { types.append(frame.type) }
      }
      #expect(types == Self.annotated.map { $0.frame.type })
      #expect(decoder.isAtBoundary)
    }
  }

  @Test func aTruncatedFrameIsNotHandedOut() throws {
    var decoder = FrameDecoder()
    decoder.append([1, 0, 1, 0, 2, 0, 0, 0, 9])
    #expect(try decoder.next() == nil)
    #expect(!decoder.isAtBoundary)
  }

  @Test(
    arguments: [
      ([2, 0, 1, 0, 0, 0, 0, 0], WireError.Code.version),
      ([1, 5, 1, 0, 0, 0, 0, 0], .channel),
      ([1, 255, 1, 0, 0, 0, 0, 0], .channel),
      // One byte more than 1 MiB of control, and than 32 KiB of a stream.
      ([1, 0, 1, 0, 1, 0, 0x10, 0], .length),
      ([1, 1, 1, 0, 1, 0x80, 0, 0], .length),
      ([1, 0, 1, 0, 0xff, 0xff, 0xff, 0xff], .length),
    ] as [([UInt8], WireError.Code)])
  func aBadHeaderIsRefused(_ bytes: [UInt8], _ code: WireError.Code) {
    var decoder = FrameDecoder()
    decoder.append(bytes)
    #expect(throws: WireError(code, channel: bytes[1], type: bytes[2])) { try decoder.next() }
  }

  @Test func theLargestFramesPass() throws {
    for (channel, bytes) in [
      (Wire.Channel.control, Wire.controlBytesMax), (.standardInput, Wire.streamBytesMax),
    ] {
      var writer = ByteWriter()
      Frame(channel, 1, [UInt8](repeating: 5, count: bytes)).write(to: &writer)
      var decoder = FrameDecoder()
      decoder.append(writer.bytes)
      #expect(try decoder.next()?.payload.count == bytes)
    }
  }

  @Test(arguments: [
    (Frame(.control, 0), WireError.Code.type), (Frame(.control, 8), .type),
    (Frame(.standardInput, 3, [1, 0, 0, 0]), .type), (Frame(.standardOutput, 1, [1]), .type),
    (Frame(.control, 3, [0]), .length), (Frame(.control, 5), .length),
    (Frame(.control, 5, [0]), .value), (Frame(.control, 5, [65]), .value),
    (Frame(.control, 6, [0, 0, 0]), .length), (Frame(.standardInput, 1), .length),
    (Frame(.standardInput, 2, [0]), .length), (Frame(.standardOutput, 3, [0, 0, 0, 0]), .value),
    (Frame(.standardError, 3, [1, 0, 4, 0]), .value), (Frame(.standardError, 3, [1]), .length),
  ])
  func theGuestRefuses(_ frame: Frame, _ code: WireError.Code) {
    let expected = WireError(code, channel: frame.channel.rawValue, type: frame.type)
    #expect(throws: expected) { try HostMessage(frame) }
  }

  @Test(arguments: [
    (Frame(.control, 0), WireError.Code.type), (Frame(.standardInput, 1, [1]), .type),
    (Frame(.control, 1, [0]), .length), (Frame(.control, 2, [0]), .length),
    (Frame(.control, 4), .length), (Frame(.control, 5), .length),
    (Frame(.control, 5, [0]), .value), (Frame(.control, 5, [200]), .value),
    (Frame(.control, 5, [UInt8](repeating: 1, count: 1026)), .length),
    (Frame(.control, 6, [UInt8](repeating: 1, count: 1025)), .length),
    (Frame(.standardOutput, 1), .length), (Frame(.standardError, 2, [0]), .length),
    (Frame(.standardInput, 3, [0, 0, 0, 0]), .value),
  ])
  func theHostRefuses(_ frame: Frame, _ code: WireError.Code) {
    let expected = WireError(code, channel: frame.channel.rawValue, type: frame.type)
    #expect(throws: expected) { try GuestMessage(frame) }
  }
}
