import TEEEvidence

/// Whatever is read as a certificate table has the same entries when written and read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCertificateTable(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard let table = try? SNPCertificateTable(bytes) else { return 0 }
  // Entries of one table may overlap, so the same entries can need more room than they came in.
  guard let again = try? SNPCertificateTable(table.encoded()) else {
    precondition(table.encoded().count > SNPCertificateTable.bytesMax)
    return 0
  }
  precondition(table.entries.map(\.kind) == again.entries.map(\.kind))
  precondition(table.entries.map(\.content) == again.entries.map(\.content))
  return 0
}
