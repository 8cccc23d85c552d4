/// One document at a vendor's service.
public struct CollateralRequest: Sendable, Hashable {
  /// What the document is, for messages: "TCB info".
  public let name: String
  /// Where it is: an absolute http or https URL.
  public let address: String
  /// How long an answer may be used again, in seconds; documents also state their own end.
  public let freshSeconds: Int64

  /// Names a document.
  public init(name: String, address: String, freshSeconds: Int64) {
    self.name = name
    self.address = address
    self.freshSeconds = freshSeconds
  }
}

/// What a service answered.
public struct CollateralResponse: Sendable, Equatable {
  /// No document of either vendor is near this size, in bytes.
  public static let bytesMax = 4 << 20

  /// The document.
  public let body: [UInt8]
  /// Header fields by lowercase name.
  public let headers: [String: String]

  /// An answer; names of `headers` are lowercase.
  public init(body: [UInt8], headers: [String: String] = [:]) {
    self.body = body
    self.headers = headers
  }

  /// The PEM chain in the header `name`, which services encode by percent (PCS API version 4).
  func chain(_ name: String, for request: CollateralRequest) throws(AttestationError) -> [UInt8] {
    guard let text = headers[name.lowercased()], let chain = Self.percentDecoded(text) else {
      throw AttestationError(
        .malformed,
        "\(request.name) from \(request.address): the header \(name) with the issuer's chain is "
          + "absent or not percent-encoded")
    }
    return chain
  }

  private static func percentDecoded(_ text: String) -> [UInt8]? {
    var decoded: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        decoded.append(byte)
        continue
      }
      let digits = String(decoding: rest.prefix(2), as: UTF8.self)
      guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { return nil }
      decoded.append(value)
      rest = rest.dropFirst(2)
    }
    return decoded
  }
}

/// Gets documents from a service, or from a cache before it.
///
/// This module asks no network itself. What it is given is checked by ``Verifier``, so a fetcher
/// need not be trusted; it can only keep documents back.
public protocol CollateralFetching {
  /// The answer to `request`; waits for it. Anything but success is `inputOutput`.
  func response(to request: CollateralRequest) throws(AttestationError) -> CollateralResponse
}
