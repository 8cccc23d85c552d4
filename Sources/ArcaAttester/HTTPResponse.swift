import ArcaBytes

/// An answer of the key broker: HTTP/1.1 (RFC 9112) as far as a client of one server needs it.
public struct HTTPResponse: Sendable {
  /// The most bytes of a head.
  public static let headBytesMax = 16_384
  /// The most bytes of a body, and of its chunks' sizes beside it.
  public static let bodyBytesMax = 4 << 20

  /// The status code, 100 to 999.
  public let status: Int
  /// The session's cookie (`kbs-session-id`), where one was set.
  public let session: [UInt8]?
  /// The body.
  public let body: [UInt8]

  private static let emptyLine: [UInt8] = [13, 10, 13, 10]
  private static let cookieName = [UInt8](ascii: "kbs-session-id=")

  private enum Length {
    case known(Int)
    case chunked
  }

  /// Reads the answer that `bytes` begin with; nil until it is whole.
  public static func read(_ bytes: [UInt8]) throws(AttesterError) -> HTTPResponse? {
    guard bytes.count <= headBytesMax + bodyBytesMax else {
      throw AttesterError(.tooLarge, "HTTP answer")
    }
    var rest = bytes[...]
    while true {
      let end = rest.indices.first { rest[$0...].prefix(4).elementsEqual(emptyLine) }
      guard (end ?? rest.endIndex) - rest.startIndex <= headBytesMax else {
        throw AttesterError(.tooLarge, "HTTP head")
      }
      guard let end else { return nil }
      let head = try readHead(rest[..<end])
      rest = rest[(end + 4)...]
      // An interim answer has no body, and the real one follows it.
      if head.status < 200 { continue }
      let body: [UInt8]?
      switch head.length {
      case .known(let count)?: body = rest.count >= count ? Array(rest.prefix(count)) : nil
      case .chunked?: body = try readChunks(rest)
      case nil: throw AttesterError(.http, "no length of the body")
      }
      return body.map { HTTPResponse(status: head.status, session: head.session, body: $0) }
    }
  }

  private static func readHead(
    _ bytes: ArraySlice<UInt8>
  ) throws(AttesterError) -> (status: Int, session: [UInt8]?, length: Length?) {
    let lines = bytes.split(separator: 10).map { $0.last == 13 ? $0.dropLast() : $0 }
    let line = Array(lines.first ?? [])
    guard line.count >= 12, line[..<7].elementsEqual(ascii: "HTTP/1."), line[8] == 0x20,
      let status = Digits.number(line[9..<12], digitsMax: 3), status >= 100
    else { throw AttesterError(.http, "status line") }
    var length: Length?
    var session: [UInt8]?
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
        throw AttesterError(.http, "header line")
      }
      let name = line[..<colon].map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }
      let value = Array(line[(colon + 1)...].drop { $0 == 0x20 }.prefix { $0 != 0x20 })
      if name.elementsEqual(ascii: "content-length") {
        guard length == nil, let count = Digits.number(value, digitsMax: 8), count <= bodyBytesMax
        else { throw AttesterError(.http, "Content-Length") }
        length = .known(Int(count))
      } else if name.elementsEqual(ascii: "transfer-encoding") {
        guard length == nil, value.elementsEqual(ascii: "chunked") else {
          throw AttesterError(.http, "Transfer-Encoding")
        }
        length = .chunked
      } else if name.elementsEqual(ascii: "set-cookie"), value.starts(with: cookieName) {
        let text = value.dropFirst(cookieName.count).prefix { $0 != UInt8(ascii: ";") }
        guard (1...128).contains(text.count),
          text.allSatisfy({
            (0x21...0x7e).contains($0) && !#"",\"#.utf8.contains($0)
          })
        else {
          throw AttesterError(.http, "Set-Cookie")
        }
        session = Array(text)
      }
    }
    return (Int(status), session, length)
  }

  /// The body that chunks make; nil until the last, which is empty, has come.
  private static func readChunks(_ bytes: ArraySlice<UInt8>) throws(AttesterError) -> [UInt8]? {
    var (rest, body) = (bytes, [UInt8]())
    while true {
      guard let end = rest.firstIndex(of: 10) else {
        guard rest.count < 64 else { throw AttesterError(.http, "chunk's size") }
        return nil
      }
      let line = rest[..<end].prefix { $0 != 13 && $0 != UInt8(ascii: ";") }
      guard let size = Digits.number(line, radix: 16, digitsMax: 8), size <= bodyBytesMax
      else { throw AttesterError(.http, "chunk's size") }
      let chunk = rest[(end + 1)...].prefix(Int(size) + 2)
      guard chunk.count == Int(size) + 2 else { return nil }
      guard chunk.suffix(2).elementsEqual([13, 10]) else {
        throw AttesterError(.http, "chunk's end")
      }
      // Trailers are not read here.
      if size == 0 { return body }
      body += chunk.dropLast(2)
      rest = rest[chunk.endIndex...]
    }
  }
}
