/// A quote of the enclave that Gramine runs, by its pseudo-files (Gramine documentation,
/// "Attestation and Secret Provisioning", low-level interface).
///
/// They belong to this process alone, so nobody can write between: the data is written first, and
/// the quote, made as its file is opened, holds it.
public enum GramineQuote {
  private static let folder = "/dev/attestation"
  private static let type = "dcap"

  /// Why no quote was had.
  public enum Fault<Failure: Error>: Error {
    /// A file could not be used; the text is its path.
    case file(String, Failure)
    /// Gramine was told of another kind of attestation, or of none; its name.
    case type([UInt8])
    /// The quote is empty, or larger than one may be.
    case size
  }

  /// Asks for a quote over 64 bytes of report data.
  public static func request<Files: TSMFiles>(
    _ reportData: [UInt8], _ files: inout Files
  ) throws(Fault<Files.Failure>) -> [UInt8] {
    let named = try read("attestation_type", 64, &files).prefix { $0 > UInt8(ascii: " ") }
    guard type.utf8.elementsEqual(named) else { throw .type(Array(named)) }
    let data = folder + "/user_report_data"
    do { try files.write(data, reportData) } catch { throw .file(data, error) }
    let quote = try read("quote", QuoteBody.quoteByteCountMax + 1, &files)
    guard !quote.isEmpty, quote.count <= QuoteBody.quoteByteCountMax else { throw .size }
    return quote
  }

  private static func read<Files: TSMFiles>(
    _ name: String, _ bytesMax: Int, _ files: inout Files
  ) throws(Fault<Files.Failure>) -> [UInt8] {
    let path = folder + "/" + name
    do { return try files.read(path, bytesMax: bytesMax) } catch { throw .file(path, error) }
  }
}
