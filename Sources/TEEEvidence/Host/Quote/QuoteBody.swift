/// What an Intel DCAP quote is about.
public enum QuoteBody: Equatable, Sendable {
  /// An SGX enclave.
  case sgx(EnclaveReport)
  /// A TDX trust domain.
  case tdx(TDReport)

  /// Reads the body of the quote at the start of `quote`, and nothing behind it.
  public init(of quote: [UInt8]) throws(EvidenceError) {
    self = try QuoteBody(QuoteForm(quote))
  }

  init(_ form: QuoteForm) throws(EvidenceError) {
    self = form.tee == .sgx ? .sgx(try EnclaveReport(form.body)) : .tdx(try TDReport(form.body))
  }
}

extension EnclaveReport {
  /// Size of the structure in bytes.
  public static let byteCount = QuoteForm.enclaveByteCount
}

extension TDReport {
  /// Size in bytes of the TDX 1.0 body.
  public static let byteCount10 = QuoteForm.domainByteCounts.0
  /// Size in bytes of the TDX 1.5 body.
  public static let byteCount15 = QuoteForm.domainByteCounts.1
}
