import ArcaBytes

/// A request to the key broker.
public struct BrokerRequest: Sendable {
  /// `GET` or `POST`.
  public var method: StaticString
  /// What follows `/kbs/v0/`, with its query.
  public var path: [UInt8]
  /// The body, JSON; empty for none.
  public var body: [UInt8] = []

  /// A request without a body.
  public init(_ method: StaticString, _ path: [UInt8]) {
    self.method = method
    self.path = path
  }

  /// The bytes to send to `host` (as the URL has it, with its port), beneath the URL's `prefix`.
  public func encoded(host: [UInt8], prefix: [UInt8], session: [UInt8]?) -> [UInt8] {
    var head = [UInt8](ascii: method) + [0x20] + prefix + [UInt8](ascii: "/kbs/v0/") + path
    head += [UInt8](ascii: " HTTP/1.1\r\nHost: ") + host
    let fields: Text =
      "\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n"
    head += fields.utf8
    if let session { head += [UInt8](ascii: "Cookie: kbs-session-id=") + session + [13, 10] }
    return head + [13, 10] + body
  }
}
