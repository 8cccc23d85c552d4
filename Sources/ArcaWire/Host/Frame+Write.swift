import ArcaBytes

// A guest queues headers and payloads, and is compiled without this file.

extension Frame {
  /// Appends the header and payload to `writer`.
  public func write(to writer: inout ByteWriter) {
    writer.append(header)
    writer.append(payload)
  }
}
