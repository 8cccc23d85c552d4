/// An enclave as a stream of the operations that build it (the SGXS format of Fortanix EDP).
public enum SGXS {
  private static let recordBytes = 64

  /// MRENCLAVE of the enclave that `stream` builds; 32 bytes.
  ///
  /// Chunks marked UNMEASRD are loaded but not measured. Records must come in an order that the
  /// processor would accept: ECREATE first and once, each chunk within the page added last.
  public static func mrenclave(_ stream: [UInt8]) throws(MeasurementError) -> [UInt8] {
    var reader = FieldReader(stream[...], "the SGXS stream", .enclaveMalformed)
    var measurement = EnclaveMeasurement()
    var enclaveBytes: UInt64?
    var page: UInt64?
    while reader.remaining > 0 {
      let record = try reader.slice(recordBytes)
      let tag = String(decoding: record.prefix(8).prefix { $0 != 0 }, as: UTF8.self)
      var fields = FieldReader(record.dropFirst(8), "the SGXS stream", .enclaveMalformed)
      switch tag {
      case "ECREATE":
        guard enclaveBytes == nil else { throw reader.refused("has a second ECREATE") }
        _ = try fields.u32()
        enclaveBytes = try fields.u64()
        measurement.append(record)
      case "EADD":
        let offset = try fields.u64()
        guard let enclaveBytes, offset % UInt64(LaunchLimits.pageBytes) == 0,
          offset < enclaveBytes
        else { throw reader.refused("adds a page at \(hex(offset)), outside of the enclave") }
        page = offset
        measurement.append(record)
      case "EEXTEND", "UNMEASRD":
        let offset = try fields.u64()
        guard let page, offset >= page, offset - page < UInt64(LaunchLimits.pageBytes),
          offset % UInt64(EnclaveMeasurement.chunkBytes) == 0
        else { throw reader.refused("fills a chunk at \(hex(offset)), outside of its page") }
        let contents = try reader.slice(EnclaveMeasurement.chunkBytes)
        if tag == "EEXTEND" {
          measurement.append(record)
          measurement.append(contents)
        }
      default:
        throw reader.refused("has a record of unknown kind; expected ECREATE, EADD or EEXTEND")
      }
    }
    guard enclaveBytes != nil else { throw reader.refused("has no ECREATE") }
    return measurement.finalize()
  }
}
