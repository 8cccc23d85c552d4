import ArcaBytes

/// What a Gramine manifest as signed (`.manifest.sgx`) says about its enclave.
///
/// Gramine serialises that file itself, so its layout is fixed: tables and keys begin lines, and
/// what is nested is indented. Only the table `sgx` is read.
public struct GramineManifest: Sendable {
  /// The file's bytes, all of which are measured.
  public let bytes: [UInt8]
  /// Size of the enclave's address range, in bytes.
  public let enclaveBytes: UInt64
  /// How many threads the enclave has room for.
  public let threads: Int
  /// Heap pages are added on demand (EDMM) and not measured.
  public let addsPagesOnDemand: Bool
  /// The enclave can be debugged, so the host can read it.
  public let isDebuggable: Bool
  /// Exception information is kept (MISCSELECT.EXINFO).
  public let keepsExceptionInformation: Bool
  /// The product's number.
  public let productID: UInt16
  /// The product's security version.
  public let securityVersion: UInt16
  /// What it demands of the processor, in Gramine's words, by the feature's name.
  public let processorFeatures: [String: String]
  /// The processor state that the enclave may use.
  let xfrm: (value: UInt64, mask: UInt64)

  private static let threadsMax: UInt64 = 4096
  private static let enclaveBytesMax: UInt64 = 1 << 40

  /// Reads the file's bytes, without the final NUL that Gramine measures after them.
  public init(_ bytes: [UInt8]) throws(MeasurementError) {
    self.bytes = bytes
    let text = String(decoding: bytes, as: UTF8.self)
    let sgx = Self.table("[sgx]", in: text)
    let features = Self.table("[sgx.cpu_features]", in: text)
    enclaveBytes = try Self.size(sgx["enclave_size"])
    guard enclaveBytes % UInt64(LaunchLimits.pageBytes) == 0,
      enclaveBytes <= Self.enclaveBytesMax
    else {
      throw Self.refused("enclave_size", "\(enclaveBytes)", "whole pages, 1 TiB at most")
    }
    threads = Int(try Self.number("max_threads", sgx, in: 1...Self.threadsMax))
    addsPagesOnDemand = try Self.flag("edmm_enable", sgx)
    isDebuggable = try Self.flag("debug", sgx)
    keepsExceptionInformation = try Self.flag("use_exinfo", sgx)
    productID = UInt16(try Self.number("isvprodid", sgx, in: 0...65535, absent: 0))
    securityVersion = UInt16(try Self.number("isvsvn", sgx, in: 0...65535, absent: 0))
    processorFeatures = features
    xfrm = try Self.xfrm(features)
  }

  /// Later features change what earlier ones set, as in Gramine: AVX-512 covers AVX's bit too.
  private static func xfrm(
    _ features: [String: String]
  ) throws(MeasurementError) -> (value: UInt64, mask: UInt64) {
    var value: UInt64 = 3
    var mask: UInt64 = 0xffff_ffff_fff9_ff1b
    for (name, bits, absent) in [
      ("avx", 0x4, "unspecified"), ("avx512", 0xe4, "unspecified"), ("amx", 0x60000, "unspecified"),
      ("mpx", 0x18, "disabled"), ("pkru", 0x200, "disabled"),
    ] as [(String, UInt64, String)] {
      switch features[name] ?? absent {
      case "required":
        value |= bits
        mask |= bits
      case "disabled":
        value &= ~bits
        mask |= bits
      case "unspecified": break
      case let other:
        throw refused("cpu_features.\(name)", other, "required, disabled or unspecified")
      }
    }
    return (value, mask)
  }

  private static func table(_ header: String, in text: String) -> [String: String] {
    var values: [String: String] = [:]
    var isInside = false
    for line in text.split(separator: "\n") {
      if line.hasPrefix("[") {
        isInside = line == header
      } else if isInside, let equals = line.firstIndex(of: "="), !line.hasPrefix(" ") {
        let key = line[..<equals].filter { $0 != " " }
        let value = line[line.index(after: equals)...].drop { $0 == " " }
        values[key] = value.hasPrefix("\"") ? String(value.dropFirst().dropLast()) : String(value)
      }
    }
    return values
  }

  private static func flag(_ key: String, _ table: [String: String]) throws(MeasurementError)
    -> Bool
  {
    switch table[key] {
    case "true": return true
    case "false", nil: return false
    case .some(let other): throw refused(key, other, "true or false")
    }
  }

  private static func number(
    _ key: String, _ table: [String: String], in range: ClosedRange<UInt64>, absent: UInt64? = nil
  ) throws(MeasurementError) -> UInt64 {
    let value = table[key].map { UInt64($0) } ?? absent
    guard let value, range.contains(value) else {
      throw refused(
        key, table[key] ?? "nothing", "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  private static func size(_ text: String?) throws(MeasurementError) -> UInt64 {
    let text = text ?? ""
    let shift: UInt64
    switch text.last {
    case "K": shift = 10
    case "M": shift = 20
    case "G": shift = 30
    default: shift = 0
    }
    guard let number = UInt64(shift == 0 ? text[...] : text.dropLast()),
      number > 0, number <= enclaveBytesMax
    else { throw refused("enclave_size", text, "a size such as \"256M\"") }
    return number << shift
  }

  private static func refused(
    _ key: String, _ found: String, _ expected: String
  ) -> MeasurementError {
    MeasurementError(
      .enclaveMalformed,
      "the Gramine manifest's sgx.\(key) is \(found), expected \(expected); give the file that "
        + "gramine-sgx-sign wrote (.manifest.sgx)")
  }
}
