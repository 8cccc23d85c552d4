import ArcaBytes
import TEEAttestation

/// What signs the evidence of a simulated TEE: the launcher's key file.
public enum SimulatedKey: Sendable {
  /// The VCEK's private scalar (P-384), 48 bytes, its certificate in DER, which names the chip and
  /// its TCB version, and what a host hands out beside a report (AMD 56421).
  case snp(key: [UInt8], vcek: [UInt8], certificateTable: [UInt8])
  /// The attestation key's private scalar (P-256), 32 bytes, and what certifies it.
  case quotingEnclave(key: [UInt8], certification: [UInt8])

  /// The CBOR of the key file.
  public func encoded() -> [UInt8] {
    switch self {
    case .snp(let key, let vcek, let table):
      RecordWriter().bytes("key", key).bytes("vcek", vcek).bytes("certificateTable", table)
        .encoded()
    case .quotingEnclave(let key, let certification):
      RecordWriter().bytes("key", key).bytes("certification", certification).encoded()
    }
  }

  /// Reads a key file that ``encoded()`` wrote for `kind`.
  public init(decoding encoded: [UInt8], for kind: LaunchKind) throws(TEEError) {
    let record = try RecordReader(encoded, of: "key file of the simulated TEE")
    switch kind.format {
    case .tdxQuote, .sgxQuote:
      self = .quotingEnclave(
        key: try record.bytes("key", count: 32), certification: try record.bytes("certification"))
    case .snpReport, .launchMeasurement:
      self = .snp(
        key: try record.bytes("key", count: 48), vcek: try record.bytes("vcek"),
        certificateTable: try record.bytes("certificateTable"))
    }
  }
}
