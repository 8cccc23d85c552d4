import ArcaKeyBroker

/// Whatever a stranger posts is read or refused; what is read as JSON is written so that it is read
/// as the same, and what is read as base64 has no other text.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzKBSRequest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  _ = try? KBSRequest(bytes)
  if let attestation = try? KBSAttestation(bytes) {
    for kind in AttesterKind.allCases {
      _ = try? ReceivedEvidence(attestation.primaryEvidence, kind: kind)
    }
    _ = try? attestation.initDataDigest()
  }
  if let json = try? StrictJSON(parsing: bytes) {
    let again = try? StrictJSON(parsing: Array(json.compact.utf8))
    precondition(again == json)
  }
  let text = String(decoding: bytes, as: UTF8.self)
  for variant in [Base64.Variant.standard, .url] {
    if let decoded = Base64.decode(text, variant) {
      precondition(Base64.encode(decoded, variant) == text)
    }
  }
  return 0
}
