/// The files that ``TSMReport`` and ``LaunchSecrets`` use: the kernel's, or a test's stand-in.
public protocol TSMFiles {
  /// Why a file could not be used; an `errno` by its number.
  associatedtype Failure: Error
  /// Makes the folder of a new report.
  mutating func makeFolder(_ path: String) throws(Failure)
  /// Removes it.
  mutating func removeFolder(_ path: String) throws(Failure)
  /// Removes a file.
  mutating func removeFile(_ path: String) throws(Failure)
  /// Writes all of `content` in one call.
  mutating func write(_ path: String, _ content: [UInt8]) throws(Failure)
  /// Reads to the end, at most `bytesMax` bytes.
  mutating func read(_ path: String, bytesMax: Int) throws(Failure) -> [UInt8]
}

/// Evidence of the TEE that the kernel runs in, by configfs-tsm.
///
/// The rules are those of Linux, `Documentation/ABI/testing/configfs-tsm-report`: a folder that is
/// made in `report` is one request; `inblob` takes the report data; `outblob` is the report; its
/// `generation` counts writes, so that a request in which somebody else wrote is found out.
public struct TSMReport: Equatable, Sendable {
  /// Who makes reports in a kind of TEE, as `provider` names it.
  public enum Provider: Sendable {
    /// The SNP guest driver.
    case snp
    /// The TDX guest driver.
    case tdx

    var name: String {
      switch self {
      case .snp: return "sev_guest"
      case .tdx: return "tdx_guest"
      }
    }
  }

  /// Why no evidence was had.
  public enum Fault<Failure: Error>: Error {
    /// A file could not be used; the text names it.
    case file(String, Failure)
    /// `provider` names another driver; its text.
    case provider([UInt8])
    /// `generation` is not a number, or shows another's writes.
    case generation
    /// `outblob` is empty, or larger than evidence may be.
    case size
  }

  /// The report or quote.
  public let document: [UInt8]
  /// What the host gave along: for SNP the certificate table, else nothing.
  public let auxiliary: [UInt8]

  /// Asks for evidence over 64 bytes of report data, beneath the folder `root` of configfs-tsm.
  public static func request<Files: TSMFiles>(
    _ reportData: [UInt8], from provider: Provider, at root: String, _ files: inout Files
  ) throws(Fault<Files.Failure>) -> TSMReport {
    let folder = root + "/arca"
    do { try files.makeFolder(folder) } catch { throw .file("report", error) }
    do throws(Fault<Files.Failure>) {
      let report = try ask(reportData, provider, folder, &files)
      do { try files.removeFolder(folder) } catch { throw .file("report", error) }
      return report
    } catch {
      try? files.removeFolder(folder)
      throw error
    }
  }

  private static func ask<Files: TSMFiles>(
    _ reportData: [UInt8], _ provider: Provider, _ folder: String, _ files: inout Files
  ) throws(Fault<Files.Failure>) -> TSMReport {
    let named = line(try read("provider", 64, folder, &files))
    guard provider.name.utf8.elementsEqual(named) else { throw .provider(named) }
    let before = try generation(folder, &files)
    do {
      try files.write(folder + "/inblob", reportData)
    } catch {
      throw .file("inblob", error)
    }
    let document = try read("outblob", QuoteBody.quoteByteCountMax + 1, folder, &files)
    guard !document.isEmpty, document.count <= QuoteBody.quoteByteCountMax else { throw .size }
    var auxiliary: [UInt8] = []
    if provider == .snp {
      auxiliary = try read("auxblob", SNPCertificateTable.bytesMax + 1, folder, &files)
      guard auxiliary.count <= SNPCertificateTable.bytesMax else { throw .size }
    }
    // One write, this one: anything else would have changed what was read.
    guard try generation(folder, &files) == before &+ 1 else { throw .generation }
    return TSMReport(document: document, auxiliary: auxiliary)
  }

  private static func generation<Files: TSMFiles>(
    _ folder: String, _ files: inout Files
  ) throws(Fault<Files.Failure>) -> UInt64 {
    let digits = line(try read("generation", 32, folder, &files))
    guard !digits.isEmpty, digits.count < 19 else { throw .generation }
    var value: UInt64 = 0
    for digit in digits {
      guard digit >= 48, digit <= 57 else { throw .generation }
      value = value * 10 + UInt64(digit - 48)
    }
    return value
  }

  private static func read<Files: TSMFiles>(
    _ name: String, _ bytesMax: Int, _ folder: String, _ files: inout Files
  ) throws(Fault<Files.Failure>) -> [UInt8] {
    do {
      return try files.read(folder + "/" + name, bytesMax: bytesMax)
    } catch {
      throw .file(name, error)
    }
  }

  private static func line(_ content: [UInt8]) -> [UInt8] {
    Array(content.prefix { $0 != UInt8(ascii: "\n") })
  }
}
