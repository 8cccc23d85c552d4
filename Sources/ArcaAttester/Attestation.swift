import ArcaBytes

/// The attester's messages of the key broker protocol (CoCo KBS 0.4.0).
public struct Attestation: Sendable {
  /// The broker's nonce as it came, base64.
  private let nonce: Text
  /// The TEE's public key as a canonical JWK.
  private let key: Text

  /// Binds the key with the public point `point` (P-256: x, then y, 64 bytes) to `nonce`.
  public init(nonce: [UInt8], point: [UInt8]) {
    self.nonce = Text(decoding: nonce, as: UTF8.self)
    let x = Base64Text.encode(Array(point.prefix(32)), .url)
    let y = Base64Text.encode(Array(point.dropFirst(32)), .url)
    key = #"{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"\#(x)","y":"\#(y)"}"#
  }

  /// The first message, for the kind of TEE that the protocol calls `tee`.
  public static func request(tee: Text) -> [UInt8] {
    Array((#"{"version":"0.4.0","tee":"\#(tee)","extra-params":{}}"# as Text).utf8)
  }

  /// The canonical runtime data (RFC 8785), whose SHA-384 the evidence binds.
  public var runtimeData: [UInt8] {
    let data: Text = #"{"additional-evidence":"","nonce":"\#(nonce)","tee-pubkey":\#(key)}"#
    return Array(data.utf8)
  }

  /// The second message, with the evidence's JSON.
  public func message(evidence: [UInt8]) -> [UInt8] {
    let runtimeData: Text = #"{"nonce":"\#(nonce)","tee-pubkey":\#(key)}"#
    let start: Text = #"{"init-data":null,"runtime-data":\#(runtimeData),"tee-evidence":"#
    return Array(start.utf8)
      + [UInt8](ascii: #"{"additional_evidence":"","primary_evidence":"#) + evidence
      + [UInt8](ascii: "}}")
  }

  /// The evidence of a TDX guest: its quote and, where there is one, the firmware's event log.
  public static func quote(_ quote: [UInt8], eventLog: [UInt8]?) -> [UInt8] {
    let log: Text = eventLog.map { #""\#(Base64Text.encode($0, .standard))""# } ?? "null"
    let quote = Base64Text.encode(quote, .standard)
    return Array((#"{"cc_eventlog":\#(log),"quote":"\#(quote)"}"# as Text).utf8)
  }
}
