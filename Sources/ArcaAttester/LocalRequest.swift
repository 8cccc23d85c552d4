import ArcaBytes

/// What a workload asks of the guest's local address, by the paths of CoCo's guest components.
public enum LocalRequest: Sendable, Equatable {
  /// `/aa/evidence?runtime_data=…`: evidence over 1 to 64 bytes, padded with zeros to 64.
  case evidence([UInt8])
  /// `/aa/token?token_type=kbs`: the key broker's attestation token.
  case token
  /// `/cdh/resource/{repository}/{type}/{tag}`: a resource of the key broker.
  case resource([UInt8])

  /// The most bytes of a request's head.
  public static let headBytesMax = 8192

  /// Reads a head that ends in an empty line; nil until that has come.
  ///
  /// - Throws: ``AttesterError/Code/unsupported`` for another method or path, else
  ///   ``AttesterError/Code/http`` or ``AttesterError/Code/tooLarge``.
  public static func read(_ head: [UInt8]) throws(AttesterError) -> LocalRequest? {
    let lines = head.split(separator: 10, omittingEmptySubsequences: false)
    let isWhole = lines.dropFirst().dropLast().contains { $0.allSatisfy { $0 == 13 } }
    guard isWhole else {
      guard head.count < headBytesMax else { throw AttesterError(.tooLarge, "request") }
      return nil
    }
    let words = lines[0].split(separator: 0x20)
    guard words.count == 3, words[2].prefix(7).elementsEqual(ascii: "HTTP/1.") else {
      throw AttesterError(.http, "request line")
    }
    guard words[0].elementsEqual(ascii: "GET") else { throw AttesterError(.unsupported, "method") }
    let parts = words[1].split(separator: UInt8(ascii: "?"), maxSplits: 1)
    let query = parts.count == 2 ? parts[1] : []
    let path = parts.first ?? []
    if path.elementsEqual(ascii: "/aa/token") {
      guard value("token_type", query)?.elementsEqual(ascii: "kbs") ?? false else {
        throw AttesterError(.unsupported, "token_type; this guest has only kbs")
      }
      return .token
    }
    if path.elementsEqual(ascii: "/aa/evidence") {
      guard let data = value("runtime_data", query), (1...64).contains(data.count) else {
        throw AttesterError(.http, "runtime_data of 1 to 64 bytes")
      }
      return .evidence(data + [UInt8](repeating: 0, count: 64 - data.count))
    }
    let prefix = [UInt8](ascii: "/cdh/resource/")
    guard path.starts(with: prefix), query.isEmpty else {
      throw AttesterError(.unsupported, "path")
    }
    return .resource(Array(path.dropFirst(prefix.count)))
  }

  /// The value of `name` in a query, percent-encoding resolved.
  private static func value(_ name: StaticString, _ query: ArraySlice<UInt8>) -> [UInt8]? {
    for pair in query.split(separator: UInt8(ascii: "&")) {
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1)
      guard parts.count == 2, parts[0].elementsEqual(ascii: name) else { continue }
      var bytes: [UInt8] = []
      var rest = parts[1]
      while var byte = rest.popFirst() {
        if byte == UInt8(ascii: "%") {
          guard let high = rest.popFirst().flatMap(Digits.value),
            let low = rest.popFirst().flatMap(Digits.value)
          else { return nil }
          byte = high << 4 | low
        }
        bytes.append(byte)
      }
      return bytes
    }
    return nil
  }
}
