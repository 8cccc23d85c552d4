extension EventLog {
  private static let sha384: UInt16 = 0x000C
  private static let digestCountMax: UInt32 = 8
  private static let signature: [UInt8] = [
    // "Spec ID Event03" and a NUL.
    0x53, 0x70, 0x65, 0x63, 0x20, 0x49, 0x44, 0x20, 0x45, 0x76, 0x65, 0x6E, 0x74, 0x30, 0x33, 0x00,
  ]

  /// Reads the crypto-agile log that the ACPI table CCEL points to (TCG PC Client Platform
  /// Firmware Profile, section 10; Intel TDX virtual firmware design guide, section 8).
  ///
  /// The log ends with the bytes or with a record whose register is 0xFFFFFFFF, as in memory that
  /// nothing was written to. Throws `truncated`, `trailing`, `tooLarge`, `unknownVersion`,
  /// `unknownType`, `missing` or `invalid`.
  public init(ccel bytes: [UInt8]) throws(EvidenceError) {
    guard bytes.count <= EventLog.byteCountMax else {
      throw EvidenceError(.tooLarge, "event log")
    }
    var reader = FieldReader(bytes[...])
    let digestSizes = try EventLog.header(&reader)
    var events: [Event] = []
    while reader.remaining > 0 {
      guard let event = try EventLog.event(&reader, digestSizes) else { break }
      guard events.count < EventLog.eventCountMax else {
        throw EvidenceError(.tooLarge, "number of events", at: reader.offset)
      }
      events.append(event)
    }
    self.init(events: events)
  }

  /// The first record has the layout of TPM 1.2 and names the algorithms of all others.
  private static func header(_ reader: inout FieldReader) throws(EvidenceError)
    -> [(algorithm: UInt16, size: Int)]
  {
    try reader.skip("register of the first event", 4)
    let type = try reader.u32("type of the first event")
    try reader.skip("digest of the first event", 20)
    let count = try reader.u32("size of the first event")
    let start = reader.offset
    let data = try reader.slice("Spec ID event", Int(count))
    var inside = FieldReader(data, base: start)
    guard type == noAction, try inside.array("signature", 16) == signature else {
      throw EvidenceError(.unknownVersion, "Spec ID event", at: start)
    }
    try inside.skip("platform class and versions", 8)
    let algorithmCount = try inside.u32("number of algorithms")
    guard algorithmCount > 0, algorithmCount <= digestCountMax else {
      throw EvidenceError(.tooLarge, "number of algorithms", at: inside.offset)
    }
    var sizes: [(algorithm: UInt16, size: Int)] = []
    for _ in 0..<algorithmCount {
      let algorithm = try inside.u16("algorithm")
      sizes.append((algorithm, Int(try inside.u16("digest size"))))
    }
    try inside.skip("vendor information", Int(try inside.u8("vendor information size")))
    try inside.expectEnd("Spec ID event")
    return sizes
  }

  private static func event(
    _ reader: inout FieldReader, _ sizes: [(algorithm: UInt16, size: Int)]
  ) throws(EvidenceError) -> Event? {
    let index = try reader.u32("register of an event")
    guard index != UInt32.max else { return nil }
    let register = try self.register(index)
    let type = try reader.u32("type of an event")
    let digestCount = try reader.u32("number of digests")
    guard digestCount <= digestCountMax else {
      throw EvidenceError(.tooLarge, "number of digests", at: reader.offset)
    }
    var digest: [UInt8]?
    for _ in 0..<digestCount {
      let algorithm = try reader.u16("algorithm of a digest")
      guard let size = sizes.first(where: { $0.algorithm == algorithm })?.size else {
        throw EvidenceError(.unknownType, "algorithm of a digest", at: reader.offset)
      }
      let value = try reader.array("digest", size)
      if algorithm == sha384, size == 48 { digest = value }
    }
    guard digest != nil || type == noAction else {
      throw EvidenceError(.missing, "SHA-384 digest", at: reader.offset)
    }
    let count = try reader.u32("size of an event")
    let data = try reader.array("event", Int(count))
    return Event(register: register, type: type, digest: digest, name: [], data: data)
  }

  /// CCEL numbers MRTD 0 and RTMR0 to RTMR3 1 to 4.
  private static func register(_ index: UInt32) throws(EvidenceError) -> Register {
    guard index <= TDReport.rtmrCount else {
      throw EvidenceError(.invalid, "register")
    }
    return index == 0 ? .mrTD : .rtmr(Int(index) - 1)
  }
}
