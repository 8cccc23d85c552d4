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
}

/// Reads one answer from bytes as they come.
public struct HTTPResponseReader: Sendable {
  private static let emptyLine: [UInt8] = [13, 10, 13, 10]
  private static let cookieName = Array("kbs-session-id=".utf8)

  private enum Length {
    case known(Int)
    case chunked
  }

  private var pending: [UInt8] = []
  private var start = 0
  private var head: (status: Int, session: [UInt8]?, length: Length)?
  private var body: [UInt8] = []
  /// Bytes of the present chunk that have not come, its line end included; nil between chunks.
  private var chunkBytes: Int?
  private var received = 0

  /// Starts before the status line.
  public init() {}

  /// Takes the next bytes; the answer, once it is whole.
  public mutating func append(_ bytes: [UInt8]) throws(AttesterError) -> HTTPResponse? {
    pending += bytes
    received += bytes.count
    guard received <= HTTPResponse.headBytesMax + HTTPResponse.bodyBytesMax else {
      throw AttesterError(.tooLarge, "HTTP answer")
    }
    while head == nil {
      guard let end = try headEnd() else { return nil }
      try readHead(end)
    }
    guard let head else { return nil }
    switch head.length {
    case .known(let count):
      guard pending.count - start >= count else { return nil }
      body = Array(pending[start..<start + count])
    case .chunked:
      guard try readChunks() else { return nil }
    }
    return HTTPResponse(status: head.status, session: head.session, body: body)
  }

  /// Where the head ends, without the empty line; nil until that has come.
  private func headEnd() throws(AttesterError) -> Int? {
    let end = pending.indices.dropFirst(start).first {
      pending[$0...].prefix(4).elementsEqual(Self.emptyLine)
    }
    guard (end ?? pending.count) - start <= HTTPResponse.headBytesMax else {
      throw AttesterError(.tooLarge, "HTTP head")
    }
    return end
  }

  private mutating func readHead(_ end: Int) throws(AttesterError) {
    let lines = pending[start..<end].split(separator: 10).map { $0.last == 13 ? $0.dropLast() : $0 }
    start = end + 4
    let line = Array(lines.first ?? [])
    guard line.count >= 12, line[..<7].elementsEqual("HTTP/1.".utf8), line[8] == 0x20,
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
      if name.elementsEqual("content-length".utf8) {
        guard length == nil, let count = Digits.number(value, digitsMax: 8),
          count <= HTTPResponse.bodyBytesMax
        else { throw AttesterError(.http, "Content-Length") }
        length = .known(Int(count))
      } else if name.elementsEqual("transfer-encoding".utf8) {
        guard length == nil, value.elementsEqual("chunked".utf8) else {
          throw AttesterError(.http, "Transfer-Encoding")
        }
        length = .chunked
      } else if name.elementsEqual("set-cookie".utf8), value.starts(with: Self.cookieName) {
        let text = value.dropFirst(Self.cookieName.count).prefix { $0 != UInt8(ascii: ";") }
        guard (1...128).contains(text.count), text.allSatisfy(Self.isCookieByte) else {
          throw AttesterError(.http, "Set-Cookie")
        }
        session = Array(text)
      }
    }
    // An interim answer has no body, and the real one follows it.
    if status < 200 { return }
    guard let length else { throw AttesterError(.http, "no length of the body") }
    head = (Int(status), session, length)
  }

  /// Moves whole chunks into the body; true once the last has come.
  private mutating func readChunks() throws(AttesterError) -> Bool {
    while true {
      if let left = chunkBytes {
        guard pending.count - start >= left else { return false }
        body += pending[start..<start + left - 2]
        guard pending[start + left - 2] == 13, pending[start + left - 1] == 10 else {
          throw AttesterError(.http, "chunk's end")
        }
        start += left
        chunkBytes = nil
        // The last chunk is empty; trailers are not read here.
        if left == 2 { return true }
      }
      guard let end = pending[start...].firstIndex(of: 10) else {
        guard pending.count - start < 64 else { throw AttesterError(.http, "chunk's size") }
        return false
      }
      let line = pending[start..<end].prefix { $0 != 13 && $0 != UInt8(ascii: ";") }
      guard let size = Digits.number(line, radix: 16, digitsMax: 8),
        size <= HTTPResponse.bodyBytesMax
      else { throw AttesterError(.http, "chunk's size") }
      start = end + 1
      chunkBytes = Int(size) + 2
    }
  }

  private static func isCookieByte(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: ",")
      && byte != UInt8(ascii: "\\")
  }
}
