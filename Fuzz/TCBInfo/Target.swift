import TEEAttestation

/// Reads the input as TCB info and as an identity; what was signed must lie inside of it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTCBInfo(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  if let info = try? TCBInfo(bytes) { check(info.document) }
  if let identity = try? QEIdentity(bytes) { check(identity.document) }
  return 0
}

private func check(_ document: SignedCollateral) {
  precondition(document.signature.count == 64)
  precondition(document.signedBytes.first == 0x7B && document.signedBytes.last == 0x7D)
}
