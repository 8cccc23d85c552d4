import TEEEvidence

/// Whatever is read as a report is written as it was, where it has no bytes that are reserved.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSNPReport(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard let report = try? SNPReport(bytes) else { return 0 }
  if report.reservedIsZero, report.tailIsZero { precondition(report.encoded() == bytes) }
  return 0
}
