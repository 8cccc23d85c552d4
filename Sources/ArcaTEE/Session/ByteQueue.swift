/// Bytes that wait to be written; its bound is kept by flow control, not here.
struct ByteQueue: Sendable {
  private var bytes: [UInt8] = []
  private var start = 0

  var count: Int { bytes.count - start }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ content: [UInt8]) {
    if start == bytes.count {
      bytes = content
      start = 0
    } else {
      bytes.append(contentsOf: content)
    }
  }

  mutating func removeAll() {
    bytes = []
    start = 0
  }

  /// Writes at most `bound` bytes to `descriptor` and forgets what went over.
  mutating func write(to descriptor: Int32, max bound: Int) throws(TEEError) -> System.Transfer {
    let transfer = try System.write(descriptor, bytes, from: start, max: bound)
    if case .bytes(let written) = transfer {
      start += written
      if start > 1 << 19 {
        bytes.removeFirst(start)
        start = 0
      }
    }
    return transfer
  }
}
