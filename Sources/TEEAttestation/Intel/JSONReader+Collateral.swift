import TEEEvidence

extension JSONReader {
  /// Lists longer than this are refused; Intel's have fewer than 100 elements.
  static let listCountMax = 1_024

  /// Reads a string of exactly `count` bytes in hexadecimal.
  mutating func hex(_ field: StaticString, _ count: Int) throws(EvidenceError) -> [UInt8] {
    let text = try plainString()
    guard text.count == 2 * count, let bytes = JSONHex.decode(text) else {
      throw EvidenceError(.invalid, field, at: offset)
    }
    return bytes
  }

  /// Reads a time, `YYYY-MM-DDTHH:MM:SSZ`.
  mutating func time(_ field: StaticString) throws(EvidenceError) -> VerificationTime {
    let text = try plainString()
    guard let time = VerificationTime(rfc3339: text) else {
      throw EvidenceError(.invalid, field, at: offset)
    }
    return time
  }

  /// Reads an array whose elements `read` takes.
  mutating func list<Element>(
    _ field: StaticString, _ read: (inout JSONReader) throws(EvidenceError) -> Element
  ) throws(EvidenceError) -> [Element] {
    var elements: [Element] = []
    try beginArray()
    while try nextElement() {
      guard elements.count < JSONReader.listCountMax else {
        throw EvidenceError(.tooLarge, field, at: offset)
      }
      elements.append(try read(&self))
    }
    return elements
  }
}

extension VerificationTime {
  /// Reads `YYYY-MM-DDTHH:MM:SSZ`, or nil where `text` is not that.
  init?(rfc3339 text: ArraySlice<UInt8>) {
    self.init(String(decoding: text, as: UTF8.self))
  }
}

extension TCBLevel {
  private static let tcb = JSONKey("tcb")
  private static let sgxComponents = JSONKey("sgxtcbcomponents")
  private static let tdxComponents = JSONKey("tdxtcbcomponents")
  private static let pceSVN = JSONKey("pcesvn")
  private static let svn = JSONKey("svn")

  init(_ reader: inout JSONReader) throws(EvidenceError) {
    var sgx: SIMD16<UInt8>?
    var tdx: SIMD16<UInt8>?
    var pce: UInt16?
    let judgement = try TCBJudgement.read(&reader) {
      (key: JSONKey, reader: inout JSONReader) throws(EvidenceError) in
      guard key == TCBLevel.tcb else {
        try reader.skipValue()
        return
      }
      try reader.beginObject()
      while let key = try reader.nextKey() {
        switch key {
        case TCBLevel.sgxComponents: sgx = try TCBLevel.components(&reader)
        case TCBLevel.tdxComponents: tdx = try TCBLevel.components(&reader)
        case TCBLevel.pceSVN: pce = UInt16(try reader.integer(max: UInt64(UInt16.max)))
        default: try reader.skipValue()
        }
      }
    }
    sgxComponents = try required(sgx, "sgxtcbcomponents")
    tdxComponents = tdx
    pceSVN = try required(pce, "pcesvn")
    self.judgement = judgement
  }

  private static func components(_ reader: inout JSONReader) throws(EvidenceError)
    -> SIMD16<UInt8>
  {
    var components = SIMD16<UInt8>()
    var count = 0
    try reader.beginArray()
    while try reader.nextElement() {
      guard count < 16 else { throw EvidenceError(.tooLarge, "tcbcomponents", at: reader.offset) }
      var svn: UInt8?
      try reader.beginObject()
      while let key = try reader.nextKey() {
        if key == self.svn {
          svn = UInt8(try reader.integer(max: UInt64(UInt8.max)))
        } else {
          try reader.skipValue()
        }
      }
      components[count] = try required(svn, "svn")
      count += 1
    }
    guard count == 16 else { throw EvidenceError(.invalid, "tcbcomponents", at: reader.offset) }
    return components
  }
}

extension EnclaveTCBLevel {
  private static let tcb = JSONKey("tcb")
  private static let svn = JSONKey("isvsvn")

  init(_ reader: inout JSONReader) throws(EvidenceError) {
    var svn: UInt16?
    let judgement = try TCBJudgement.read(&reader) {
      (key: JSONKey, reader: inout JSONReader) throws(EvidenceError) in
      guard key == EnclaveTCBLevel.tcb else {
        try reader.skipValue()
        return
      }
      try reader.beginObject()
      while let key = try reader.nextKey() {
        if key == EnclaveTCBLevel.svn {
          svn = UInt16(try reader.integer(max: UInt64(UInt16.max)))
        } else {
          try reader.skipValue()
        }
      }
    }
    isvSVN = try required(svn, "isvsvn")
    self.judgement = judgement
  }
}

extension TCBJudgement {
  private static let status = JSONKey("tcbStatus")
  private static let date = JSONKey("tcbDate")
  private static let advisories = JSONKey("advisoryIDs")

  /// Reads a level: the members that every kind has, and by `other` those that one kind has.
  static func read(
    _ reader: inout JSONReader,
    other: (JSONKey, inout JSONReader) throws(EvidenceError) -> Void
  ) throws(EvidenceError) -> TCBJudgement {
    var status: TCBStatus?
    var date: VerificationTime?
    var advisories: [String] = []
    try reader.beginObject()
    while let key = try reader.nextKey() {
      switch key {
      case self.status: status = try self.status(&reader)
      case self.date: date = try reader.time("tcbDate")
      case self.advisories:
        advisories = try reader.list("advisoryIDs") {
          (reader: inout JSONReader) throws(EvidenceError) in
          String(decoding: try reader.plainString(), as: UTF8.self)
        }
      default: try other(key, &reader)
      }
    }
    return TCBJudgement(
      status: try required(status, "tcbStatus"), date: try required(date, "tcbDate"),
      advisoryIDs: advisories)
  }

  private static func status(_ reader: inout JSONReader) throws(EvidenceError) -> TCBStatus {
    let text = String(decoding: try reader.plainString(), as: UTF8.self)
    guard let status = TCBStatus(rawValue: text) else {
      throw EvidenceError(.unknownType, "tcbStatus", at: reader.offset)
    }
    return status
  }
}
