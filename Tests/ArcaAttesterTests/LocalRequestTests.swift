import ArcaAttester
import Testing

/// What a workload may ask of the guest's local address.
@Suite struct LocalRequestTests {
  static func read(_ line: String) throws(AttesterError) -> LocalRequest? {
    try LocalRequest.read(Array("\(line)\r\nHost: x\r\n\r\n".utf8))
  }

  @Test func cocosPathsAreRead() throws {
    let data = Array("a b".utf8) + [UInt8](repeating: 0, count: 61)
    #expect(try Self.read("GET /aa/evidence?runtime_data=a%20b HTTP/1.1") == .evidence(data))
    #expect(try Self.read("GET /aa/token?token_type=kbs HTTP/1.0") == .token)
    #expect(
      try Self.read("GET /cdh/resource/a/b/c HTTP/1.1") == .resource(Array("a/b/c".utf8)))
    #expect(try LocalRequest.read(Array("GET /aa/token?token_type=kbs HTTP/1.1\r\n".utf8)) == nil)
  }

  @Test(arguments: [
    ("POST /aa/token?token_type=kbs HTTP/1.1", AttesterError.Code.unsupported),
    ("GET /aa/token HTTP/1.1", .unsupported),
    ("GET /aa/token?token_type=coco_as HTTP/1.1", .unsupported),
    ("GET /aa/evidence HTTP/1.1", .http), ("GET /aa/evidence?runtime_data= HTTP/1.1", .http),
    ("GET /aa/evidence?runtime_data=%4 HTTP/1.1", .http),
    ("GET /aa/evidence?runtime_data=\(String(repeating: "a", count: 65)) HTTP/1.1", .http),
    ("GET /other HTTP/1.1", .unsupported), ("GET /cdh/resource/a/b/c?x HTTP/1.1", .unsupported),
    ("GET /", .http), ("", .http),
    ("GET /\(String(repeating: "a", count: 9000))", .http),
  ])
  func anythingElseIsRefused(_ line: String, _ code: AttesterError.Code) {
    #expect(throws: AttesterError(code, "")) { try Self.read(line) }
  }

  @Test func anEndlessHeadIsRefused() {
    #expect(throws: AttesterError(.tooLarge, "")) {
      try LocalRequest.read([UInt8](repeating: 65, count: LocalRequest.headBytesMax))
    }
  }
}
