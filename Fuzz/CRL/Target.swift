import TEEAttestation

/// Reads the input as a revocation list, a certificate and PEM, and uses what it read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCRL(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  if let list = try? X509CRL(bytes) {
    precondition(list.entryCount > 0 || !list.lists([0x0A, 0x5C]))
    precondition(list.thisUpdate.text.count == 20)
  }
  if let certificate = try? X509Certificate(der: bytes) {
    _ = try? certificate.publicKey()
    _ = certificate.commonName
  }
  if let blocks = try? PEM.blocks(bytes), let block = blocks.first {
    let text = PEM.encode(block.der, label: block.label)
    precondition((try? PEM.blocks(Array(text.utf8)))?.first == block)
  }
  return 0
}
