/// What an Intel DCAP quote is about: the part of it that a guest looks at.
public enum QuoteBody: Equatable, Sendable {
  /// An SGX enclave.
  case sgx(EnclaveReport)
  /// A TDX trust domain.
  case tdx(TDReport)

  /// Quotes larger than this are refused; real ones have about 5,000 bytes.
  public static let quoteByteCountMax = 1 << 20

  /// Reads the body of the quote at the start of `quote`, and nothing behind it.
  public init(of quote: [UInt8]) throws(EvidenceError) {
    var reader = FieldReader(quote[...])
    let header = try QuoteHeader(&reader)
    self = try Self(&reader, header)
  }

  init(_ reader: inout FieldReader, _ header: QuoteHeader) throws(EvidenceError) {
    guard header.version == 5 else {
      self =
        header.tee == .sgx
        ? .sgx(try EnclaveReport(&reader)) : .tdx(try TDReport(&reader, is15: false))
      return
    }
    let type = try reader.u16("body type")
    let count = Int(try reader.u32("body size"))
    switch (type, count, header.tee) {
    case (1, EnclaveReport.byteCount, .sgx): self = .sgx(try EnclaveReport(&reader))
    case (2, TDReport.byteCount10, .tdx): self = .tdx(try TDReport(&reader, is15: false))
    case (3, TDReport.byteCount15, .tdx): self = .tdx(try TDReport(&reader, is15: true))
    default:
      throw EvidenceError(.invalid, "body type and size", at: QuoteHeader.byteCount)
    }
  }
}
