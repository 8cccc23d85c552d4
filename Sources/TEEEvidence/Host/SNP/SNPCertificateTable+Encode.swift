import ArcaBytes

// What hosts and verifiers do with tables; a guest reads them alone, and is compiled without this
// file.

extension SNPCertificateTable {
  /// Creates a table.
  public init(_ entries: [Entry]) {
    self.entries = entries
  }

  /// The table's bytes, contents right after the headers.
  public func encoded() -> [UInt8] {
    var writer = ByteWriter()
    var offset = (entries.count + 1) * 24
    for entry in entries {
      writer.append(entry.kind.guid)
      writer.u32(UInt32(truncatingIfNeeded: offset))
      writer.u32(UInt32(truncatingIfNeeded: entry.content.count))
      offset += entry.content.count
    }
    writer.zeros(24)
    for entry in entries { writer.append(entry.content) }
    return writer.bytes
  }
}

extension SNPCertificateTable.Entry {
  /// Creates an entry.
  public init(_ kind: SNPCertificateTable.Kind, _ content: [UInt8]) {
    self.init(kind: kind, content: content)
  }
}
