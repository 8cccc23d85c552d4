/// The attester's messages of the key broker protocol (CoCo KBS 0.4.0).
public struct Attestation: Sendable {
  /// The broker's nonce as it came, base64.
  public let nonce: [UInt8]
  /// The TEE's public key as a canonical JWK.
  private let key: [UInt8]

  /// Binds the key with the public point `point` (P-256: x, then y, 64 bytes) to `nonce`.
  public init(nonce: [UInt8], point: [UInt8]) {
    self.nonce = nonce
    let x = Base64Text.encode(Array(point.prefix(32)), .url)
    let y = Base64Text.encode(Array(point.dropFirst(32)), .url)
    key =
      Array(#"{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":""#.utf8) + x
      + Array(#"","y":""#.utf8) + y + Array(#""}"#.utf8)
  }

  /// The first message, for the kind of TEE that the protocol calls `tee`.
  public static func request(tee: StaticString) -> [UInt8] {
    Array(#"{"version":"0.4.0","tee":"\#(tee)","extra-params":{}}"#.utf8)
  }

  /// The canonical runtime data (RFC 8785), whose SHA-384 the evidence binds.
  public var runtimeData: [UInt8] {
    Array(#"{"additional-evidence":"","nonce":""#.utf8) + nonce + Array(#"","tee-pubkey":"#.utf8)
      + key + Array("}".utf8)
  }

  /// The second message, with the evidence's JSON.
  public func message(evidence: [UInt8]) -> [UInt8] {
    Array(#"{"init-data":null,"runtime-data":{"nonce":""#.utf8) + nonce
      + Array(#"","tee-pubkey":"#.utf8) + key
      + Array(#"},"tee-evidence":{"additional_evidence":"","primary_evidence":"#.utf8) + evidence
      + Array("}}".utf8)
  }

  /// The evidence of a TDX guest: its quote and, where there is one, the firmware's event log.
  public static func quote(_ quote: [UInt8], eventLog: [UInt8]?) -> [UInt8] {
    var json = Array(#"{"cc_eventlog":"#.utf8)
    if let eventLog {
      json += Array(#"""#.utf8) + Base64Text.encode(eventLog, .standard) + Array(#"""#.utf8)
    } else {
      json += Array("null".utf8)
    }
    return json + Array(#","quote":""#.utf8) + Base64Text.encode(quote, .standard)
      + Array(#""}"#.utf8)
  }
}
