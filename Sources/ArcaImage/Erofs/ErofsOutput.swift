/// Appends whole blocks to an image file, through a buffer.
final class ErofsOutput {
  static let blockBytes = 4096
  private static let bufferBytes = 1 << 20

  private let file: DataFile
  private let bytesMax: UInt64
  private var buffer: [UInt8] = []
  private var flushed: UInt64 = 0

  /// Starts at the beginning of `file`; no more than `bytesMax` bytes may be appended.
  init(_ file: DataFile, bytesMax: UInt64) {
    self.file = file
    self.bytesMax = bytesMax
    buffer.reserveCapacity(Self.bufferBytes)
  }

  /// How many bytes have been appended.
  var byteCount: UInt64 { flushed + UInt64(buffer.count) }

  /// The number of the block that comes next, at a block boundary.
  var nextBlock: UInt32 { UInt32(truncatingIfNeeded: byteCount / UInt64(Self.blockBytes)) }

  func append(_ bytes: ArraySlice<UInt8>) throws(ImageError) {
    guard byteCount + UInt64(bytes.count) <= bytesMax else {
      throw ImageError(
        .limitExceeded, "the root file system is larger than the limit of \(bytesMax) bytes")
    }
    if buffer.isEmpty, bytes.count >= Self.bufferBytes {
      try file.write(bytes, at: flushed)
      flushed += UInt64(bytes.count)
      return
    }
    buffer += bytes
    if buffer.count >= Self.bufferBytes { try flush() }
  }

  /// Appends zeros up to the next block boundary.
  func pad() throws(ImageError) {
    let over = Int(byteCount % UInt64(Self.blockBytes))
    if over > 0 { try append([UInt8](repeating: 0, count: Self.blockBytes - over)[...]) }
  }

  func flush() throws(ImageError) {
    try file.write(buffer[...], at: flushed)
    flushed += UInt64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
  }
}
