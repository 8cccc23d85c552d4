import TEEEvidence

/// Reads the input as a quote; what is read must be what is signed.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzQuote(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard let quote = try? Quote(bytes) else { return 0 }
  precondition(quote.trailingByteCount < count)
  precondition(quote.signature.count == 64 && quote.attestationKey.count == 64)
  precondition((try? EnclaveReport(quote.qeReportBytes)) == quote.qeReport)
  let body: [UInt8]
  switch quote.body {
  case .sgx(let report): body = report.encoded
  case .tdx(let report): body = report.encoded
  }
  // Reserved fields of an enclave's report are not kept; a TD's report has none.
  if case .tdx = quote.body { precondition(quote.signedBytes.suffix(body.count) == body[...]) }
  return 0
}
