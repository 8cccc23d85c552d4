import ArcaAttester

/// What a key broker, or a workload at the guest's local address, may send; the first byte says how
/// it is cut.
///
/// An answer never depends on the cut; what decodes from base64 encodes to itself.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzBrokerAnswer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard let first = bytes.first else { return 0 }
  let content = Array(bytes.dropFirst())
  let whole = response(content, cutAt: content.count)
  let cut = response(content, cutAt: Int(first) % (content.count + 1))
  precondition(whole?.body == cut?.body && whole?.status == cut?.status)
  for document in [content, whole?.body ?? []] {
    _ = try? BrokerAnswer.nonce(document)
    _ = try? BrokerAnswer.token(document)
    _ = BrokerAnswer.refusal(document)
    if let secret = try? SealedSecret(document) {
      precondition(secret.ephemeral.count == 64 && secret.wrapped.count == 40)
      precondition(secret.iv.count == 12 && secret.tag.count == 16)
    }
  }
  for form in [Base64Text.Form.standard, .url] {
    if let decoded = Base64Text.decode(content, form) {
      precondition(Array(Base64Text.encode(decoded, form).utf8) == content)
    }
  }
  if case .evidence(let data)? = try? LocalRequest.read(content) { precondition(data.count == 64) }
  return 0
}

private func response(_ bytes: [UInt8], cutAt place: Int) -> HTTPResponse? {
  try? HTTPResponse.read(Array(bytes[..<place])) ?? HTTPResponse.read(bytes)
}
