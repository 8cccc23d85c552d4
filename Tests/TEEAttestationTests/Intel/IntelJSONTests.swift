import TEEAttestation
import TEEEvidence
import Testing

@Suite struct IntelJSONTests {
  @Test func `values are read with and without space`() throws {
    var reader = JSONReader(
      Array(" { \"a\" : [ 1 , 23 ] ,\n\"b\":{}, \"c\":\"x\\u00e9\\/\" } ".utf8))
    try reader.beginObject()
    #expect(try reader.nextKey() == JSONKey("a"))
    try reader.beginArray()
    var numbers: [UInt64] = []
    while try reader.nextElement() { numbers.append(try reader.integer(max: 99)) }
    #expect(numbers == [1, 23])
    #expect(try reader.nextKey() == JSONKey("b"))
    try reader.skipValue()
    #expect(try reader.nextKey() == JSONKey("c"))
    #expect(try reader.string() == Array("xé/".utf8))
    #expect(try reader.nextKey() == nil)
    try reader.expectEnd()
  }

  @Test(arguments: [
    "", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "[1 2]", "[1,]", "\"abc", "\"a\\", "{1:2}",
    "[", "]", "nul\"", "{\"a\":1 \"b\":2}", "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", "1 2",
    "{\"\\u0061\":1}",
  ])
  func `what is not JSON is refused`(_ text: String) {
    #expect(throws: EvidenceError.self) {
      var reader = JSONReader(Array(text.utf8))
      try reader.skipValue()
      try reader.expectEnd()
    }
  }

  @Test(arguments: ["-1", "01", "256", "18446744073709551616", "\"1\"", "x"])
  func `what is not a small integer is refused`(_ text: String) {
    var reader = JSONReader(Array(text.utf8))
    #expect(throws: EvidenceError.self) { try reader.integer(max: 255) }
  }

  @Test(arguments: [
    ("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\u{8}\u{c}\n\r\t"), ("\\ud83d\\ude00", "😀"), ("é", "é"),
  ])
  func `escapes are resolved`(_ written: String, _ meant: String) throws {
    var reader = JSONReader(Array("\"\(written)\"".utf8))
    #expect(try reader.string() == Array(meant.utf8))
  }

  @Test(arguments: ["\\x", "\\u12", "\\ud83d", "\\ud83dx", "\\ude00", "\\ud83d\\u0041"])
  func `wrong escapes are refused`(_ written: String) {
    var reader = JSONReader(Array("\"\(written)\"".utf8))
    #expect(throws: EvidenceError.self) { try reader.string() }
  }

  @Test func `long names are told apart`() {
    #expect(JSONKey("tdxModule") != JSONKey("tdxModuleIdentities"))
    #expect(JSONKey("sgxtcbcomponents") != JSONKey("tdxtcbcomponents"))
    #expect(JSONKey("a") != JSONKey("a\0"))
  }

  @Test func `a document with two bodies is refused`() throws {
    let info = SimulatedIntel.tcbInfo(for: .sgx, at: QuoteScene.issued).json
    let zeros = String(repeating: "0", count: 128)
    #expect(throws: Never.self) {
      try TCBInfo(Array("{\"signature\":\"\(zeros)\",\"tcbInfo\":\(info)}".utf8))
    }
    #expect(throws: EvidenceError.self) {
      try TCBInfo(
        Array("{\"tcbInfo\":\(info),\"tcbInfo\":\(info),\"signature\":\"\(zeros)\"}".utf8))
    }
  }

  @Test func `a document must have every member`() throws {
    for tee in [QuoteHeader.TEE.sgx, .tdx] {
      let info = SimulatedIntel.tcbInfo(for: tee, at: QuoteScene.issued).json
      for name in [
        "id", "version", "issueDate", "nextUpdate", "fmspc", "pceId", "tcbType",
        "tcbEvaluationDataNumber", "tcbLevels", "sgxtcbcomponents", "pcesvn", "tcbStatus",
        "tcbDate", "svn",
      ] {
        #expect(throws: EvidenceError.self, "\(name)") {
          try TCBInfo(Self.document("tcbInfo", info, without: name))
        }
      }
      let identity = SimulatedIntel.qeIdentity(for: tee, at: QuoteScene.issued).json
      for name in [
        "id", "version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "miscselect",
        "miscselectMask", "attributes", "attributesMask", "mrsigner", "isvprodid", "tcbLevels",
        "isvsvn", "tcbStatus",
      ] {
        #expect(throws: EvidenceError.self, "\(name)") {
          try QEIdentity(Self.document("enclaveIdentity", identity, without: name))
        }
      }
    }
  }

  private static func document(_ member: String, _ object: String, without name: String) -> [UInt8]
  {
    var text = Array(object.utf8)
    while let range = text.firstRange(of: Array("\"\(name)\":".utf8)) {
      text.replaceSubrange(range, with: Array("\"x\":".utf8))
    }
    let signature = String(repeating: "0", count: 128)
    return Array("{\"\(member)\":".utf8) + text + Array(",\"signature\":\"\(signature)\"}".utf8)
  }
}
