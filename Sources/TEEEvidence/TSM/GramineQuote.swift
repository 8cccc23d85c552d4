import ArcaBytes

/// A quote of the enclave that Gramine runs, by its pseudo-files (Gramine documentation,
/// "Attestation and Secret Provisioning", low-level interface).
///
/// They belong to this process alone, so nobody can write between: the data is written first, and
/// the quote, made as its file is opened, holds it.
public enum GramineQuote {
  private static let folder: Text = "/dev/attestation"

  /// Asks for a quote over 64 bytes of report data.
  public static func request<Files: TSMFiles>(
    _ reportData: [UInt8], _ files: inout Files
  ) throws(TSMFault<Files.Failure>) -> [UInt8] {
    let type = try files.read("attestation_type", in: folder, 0...63)
    let named = type.prefix { $0 > UInt8(ascii: " ") }
    guard named.elementsEqual(ascii: "dcap") else { throw .provider(Array(named)) }
    try files.write("user_report_data", in: folder, reportData)
    return try files.read("quote", in: folder, 1...QuoteForm.byteCountMax)
  }
}
