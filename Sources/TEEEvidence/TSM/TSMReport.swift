import ArcaBytes

/// Evidence of the TEE that the kernel runs in, by configfs-tsm.
///
/// The rules are those of Linux, `Documentation/ABI/testing/configfs-tsm-report`: a folder that is
/// made in `report` is one request; `inblob` takes the report data; `outblob` is the report; its
/// `generation` counts writes, so that a request in which somebody else wrote is found out.
public enum TSMReport {
  /// Who makes reports in a kind of TEE.
  public enum Provider: Text, Sendable {
    /// The SNP guest driver.
    case snp = "sev_guest"
    /// The TDX guest driver.
    case tdx = "tdx_guest"
  }

  /// Asks for evidence over 64 bytes of report data, beneath the folder `root` of configfs-tsm: the
  /// report or quote and, for SNP, the certificate table that the host gave along.
  public static func request<Files: TSMFiles>(
    _ reportData: [UInt8], from provider: Provider, at root: Text, _ files: inout Files
  ) throws(TSMFault<Files.Failure>) -> [UInt8] {
    let folder: Text = "\(root)/arca"
    do { try files.makeFolder(folder) } catch { throw .file("report", error) }
    do throws(TSMFault<Files.Failure>) {
      let report = try ask(reportData, provider, folder, &files)
      do { try files.removeFolder(folder) } catch { throw .file("report", error) }
      return report
    } catch {
      try? files.removeFolder(folder)
      throw error
    }
  }

  private static func ask<Files: TSMFiles>(
    _ reportData: [UInt8], _ provider: Provider, _ folder: Text, _ files: inout Files
  ) throws(TSMFault<Files.Failure>) -> [UInt8] {
    let named = line(try files.read("provider", in: folder, 0...64))
    guard provider.rawValue.utf8.elementsEqual(named) else { throw .provider(named) }
    let before = try generation(folder, &files)
    try files.write("inblob", in: folder, reportData)
    var report = try files.read("outblob", in: folder, 1...QuoteForm.byteCountMax)
    if provider == .snp {
      report += try files.read("auxblob", in: folder, 0...SNPCertificateTable.bytesMax)
    }
    // One write, this one: anything else would have changed what was read.
    guard try generation(folder, &files) == before &+ 1 else { throw .generation }
    return report
  }

  private static func generation<Files: TSMFiles>(
    _ folder: Text, _ files: inout Files
  ) throws(TSMFault<Files.Failure>) -> UInt64 {
    let digits = line(try files.read("generation", in: folder, 0...32))
    guard let value = Digits.number(digits, digitsMax: 18) else { throw .generation }
    return value
  }

  private static func line(_ content: [UInt8]) -> [UInt8] {
    Array(content.prefix { $0 != UInt8(ascii: "\n") })
  }
}
