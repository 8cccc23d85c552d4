extension EventLog {
  private static let register = JSONKey("imr")
  private static let type = JSONKey("event_type")
  private static let digest = JSONKey("digest")
  private static let name = JSONKey("event")
  private static let payload = JSONKey("event_payload")

  /// Reads the JSON log of dstack: an array of objects with `imr`, `event_type`, `digest`, `event`
  /// and `event_payload`.
  ///
  /// `imr` is the RTMR's number, 0 to 3; the digest and as a rule the payload are hexadecimal.
  /// Throws `tooLarge`, `trailing`, `missing` or `invalid`.
  public init(json bytes: [UInt8]) throws(EvidenceError) {
    guard bytes.count <= EventLog.byteCountMax else {
      throw EvidenceError(.tooLarge, "event log")
    }
    var reader = JSONReader(bytes)
    var events: [Event] = []
    try reader.beginArray()
    while try reader.nextElement() {
      guard events.count < EventLog.eventCountMax else {
        throw EvidenceError(.tooLarge, "number of events", at: reader.offset)
      }
      events.append(try EventLog.event(&reader))
    }
    try reader.expectEnd()
    self.init(events: events)
  }

  private static func event(_ reader: inout JSONReader) throws(EvidenceError) -> Event {
    var rtmr: UInt64?
    var type: UInt64?
    var digest: [UInt8]?
    var name: [UInt8] = []
    var data: [UInt8] = []
    try reader.beginObject()
    while let key = try reader.nextKey() {
      switch key {
      case self.register: rtmr = try reader.integer(max: UInt64(TDReport.rtmrCount - 1))
      case self.type: type = try reader.integer(max: UInt64(UInt32.max))
      case self.digest: digest = try hex(&reader, "digest")
      case self.name: name = try reader.string()
      case self.payload:
        // Only the digest of an event that lacks one depends on this, so text is no reason to
        // refuse a log.
        let text = try reader.string()
        data = JSONHex.decode(text[...]) ?? text
      default: try reader.skipValue()
      }
    }
    guard let rtmr, let type else {
      throw EvidenceError(.missing, "imr or event_type", at: reader.offset)
    }
    let event = Event(
      register: .rtmr(Int(rtmr)), type: UInt32(type), digest: digest == [] ? nil : digest,
      name: name, data: data)
    guard
      event.digest?.count == 48
        || (event.digest == nil && (event.isRuntime || event.isInformative))
    else {
      throw EvidenceError(.invalid, "digest", at: reader.offset)
    }
    return event
  }

  private static func hex(_ reader: inout JSONReader, _ field: StaticString)
    throws(EvidenceError) -> [UInt8]
  {
    guard let bytes = JSONHex.decode(try reader.plainString()) else {
      throw EvidenceError(.invalid, field, at: reader.offset)
    }
    return bytes
  }
}
