import ArcaAttester
import Testing

/// What a key broker sends, and what it must not.
@Suite struct AnswerTests {
  static func response(_ text: String, cut: Int? = nil) throws(AttesterError) -> HTTPResponse? {
    let bytes = Array(text.utf8)
    let place = min(cut ?? bytes.count, bytes.count)
    if let response = try HTTPResponse.read(Array(bytes[..<place])) { return response }
    return try HTTPResponse.read(bytes)
  }

  static let plain =
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nset-cookie: kbs-session-id=0a1b; Expires=Thu\r\n"
    + "\r\nabc"
  static let chunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"
  static let interim =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"

  @Test func everyCutGivesTheSameAnswer() throws {
    for (text, status, body) in [
      (Self.plain, 200, "abc"), (Self.chunked, 200, "abc"), (Self.interim, 401, ""),
    ] {
      for cut in 0...text.utf8.count {
        let response = try #require(try Self.response(text, cut: cut))
        #expect(response.status == status)
        #expect(response.body == Array(body.utf8))
      }
      #expect(try Self.response(String(text.dropLast(text == Self.interim ? 2 : 1))) == nil)
    }
    #expect(try Self.response(Self.plain)?.session == Array("0a1b".utf8))
  }

  @Test(arguments: [
    ("HTTP/2 200 OK\r\n\r\n", AttesterError.Code.http),
    ("HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", .http),
    ("HTTP/1.1 200 OK\r\n\r\n", .http),
    ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", .http),
    ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", .http),
    ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .http),
    ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .http),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .http),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .http),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", .http),
    ("HTTP/1.1 200 OK\r\nSet-Cookie: kbs-session-id=\r\nContent-Length: 0\r\n\r\n", .http),
    ("HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n", .http),
    ("HTTP/1.1 200 OK\r\nA: " + String(repeating: "a", count: 17_000), .tooLarge),
  ])
  func whatIsNoAnswerIsRefused(_ text: String, _ code: AttesterError.Code) {
    #expect(throws: AttesterError(code, "")) { try Self.response(text) }
  }

  @Test func aBodyAboveItsBoundIsRefusedBeforeItIsWhole() {
    #expect(throws: AttesterError(.tooLarge, "")) {
      var bytes = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n".utf8)
      for _ in 0..<80 {
        bytes += [UInt8](repeating: 1, count: 1 << 16)
        _ = try HTTPResponse.read(bytes)
      }
    }
  }

  @Test func challengesTokensAndRefusalsAreRead() throws {
    let nonce = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    let bytes = { (text: String) in Array(text.utf8) }
    #expect(
      try BrokerAnswer.nonce(bytes(#"{"nonce":"\#(nonce)","extra-params":""}"#)) == bytes(nonce))
    #expect(
      try BrokerAnswer.nonce(
        bytes(#"{"extra-params":{"selected-hash-algorithm":"sha384"},"nonce":"\#(nonce)"}"#))
        == bytes(nonce))
    #expect(throws: AttesterError(.unsupported, "")) {
      try BrokerAnswer.nonce(
        bytes(#"{"nonce":"\#(nonce)","extra-params":{"selected-hash-algorithm":"sha512"}}"#))
    }
    for text in [
      "", "{}", "[]", #"{"nonce":""}"#, #"{"nonce":"a\"b="}"#, #"{"nonce":"AAE"}"#,
      #"{"nonce":"\#(nonce)"} x"#, #"{"nonce":"\#(nonce)","nonce":"\#(nonce)"}"#, #"{"nonce":1}"#,
    ] {
      #expect(throws: AttesterError(.json, "")) { try BrokerAnswer.nonce(bytes(text)) }
    }
    #expect(try BrokerAnswer.token(bytes(#"{"token":"aA0.-_"}"#)) == bytes("aA0.-_"))
    #expect(throws: AttesterError(.json, "")) { try BrokerAnswer.token(bytes(#"{"token":"a b"}"#)) }
    #expect(BrokerAnswer.refusal(bytes(#"{"type":"x","detail":"why"}"#)) == bytes("why"))
    #expect(BrokerAnswer.refusal(bytes("no JSON")).isEmpty)
  }

  @Test func base64IsStrict() {
    for text in ["A", "AB", "AA=", "AA", "AA===", "AB==", "A+-="] {
      #expect(Base64Text.decode(Array(text.utf8), .standard) == nil, "\(text)")
    }
    #expect(Base64Text.decode(Array("+/8=".utf8), .standard) == [0xfb, 0xff])
    #expect(Base64Text.decode(Array("-_8".utf8), .url) == [0xfb, 0xff])
    #expect(Base64Text.decode(Array("+/8".utf8), .url) == nil)
    for count in 0...70 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37) }
      for form in [Base64Text.Form.standard, .url] {
        #expect(Base64Text.decode(Base64Text.encode(bytes, form).utf8, form) == bytes)
      }
    }
  }
}
