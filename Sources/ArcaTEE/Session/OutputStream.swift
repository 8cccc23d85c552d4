import Glibc

/// Where one stream of the workload's output goes.
struct OutputStream {
  let descriptor: Int32
  private let isFile: Bool
  private var isGone = false
  private var queue = ByteQueue()

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
    isFile = isRegularFile(descriptor)
  }

  var isEmpty: Bool { queue.isEmpty }

  mutating func append(_ bytes: [UInt8]) { queue.append(bytes) }

  /// Writes once; returns how many bytes are done with.
  ///
  /// The descriptor is the user's, so it is not made non-blocking: a pipe that polls as writable
  /// takes PIPE_BUF bytes without blocking. Where nobody reads any more, output is dropped, as the
  /// workload would otherwise hang.
  mutating func write() throws(TEEError) -> Int {
    let before = queue.count
    if !isGone {
      let bound = isFile ? 1 << 20 : Int(PIPE_BUF)
      if case .end = try queue.write(to: descriptor, max: bound) { isGone = true }
    }
    if isGone { queue.removeAll() }
    return before - queue.count
  }
}
