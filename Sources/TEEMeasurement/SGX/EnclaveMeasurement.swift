import Crypto

/// The running MRENCLAVE of an enclave that is being built (Intel SDM volume 3D, chapter 39).
public struct EnclaveMeasurement: Sendable {
  /// Bytes that one EEXTEND covers.
  public static let chunkBytes = 256
  private static let recordBytes = 64

  private var hash = SHA256()
  private var pending: [UInt8] = []

  /// Begins with ECREATE.
  ///
  /// - Parameters:
  ///   - byteCount: size of the enclave's address range.
  ///   - ssaFramePages: size of a state save area frame, in pages.
  public init(byteCount: UInt64, ssaFramePages: UInt32) {
    record("ECREATE", UInt64(ssaFramePages) | byteCount << 32, byteCount >> 32)
  }

  /// EADD: adds the page at `offset`; `flags` are those of its SECINFO.
  public mutating func add(offset: UInt64, flags: UInt64) {
    record("EADD", offset, flags)
    flush(above: 1 << 16)
  }

  /// EADD and sixteen times EEXTEND: adds the page at `offset` and measures its contents.
  ///
  /// Contents shorter than a page are followed by zeros.
  public mutating func addMeasured(offset: UInt64, flags: UInt64, contents: ArraySlice<UInt8>) {
    record("EADD", offset, flags)
    for chunk in stride(from: 0, to: LaunchLimits.pageBytes, by: Self.chunkBytes) {
      record("EEXTEND", offset + UInt64(chunk), 0)
      let end = pending.count + Self.chunkBytes
      pending.append(contentsOf: contents.dropFirst(chunk).prefix(Self.chunkBytes))
      while pending.count < end { pending.append(0) }
    }
    flush(above: 1 << 16)
  }

  /// MRENCLAVE as EINIT would fix it; 32 bytes.
  public consuming func finalize() -> [UInt8] {
    flush(above: 0)
    return Array(hash.finalize())
  }

  /// Appends records that stand in a stream already.
  mutating func append(_ records: ArraySlice<UInt8>) {
    pending.append(contentsOf: records)
    flush(above: 1 << 16)
  }

  /// Begins with no record; the stream brings its own ECREATE.
  init() {}

  private mutating func record(
    _ name: StaticString, _ first: UInt64, _ second: UInt64
  ) {
    let end = pending.count + Self.recordBytes
    pending.append(contentsOf: name.description.utf8)
    while pending.count < end - Self.recordBytes + 8 { pending.append(0) }
    for value in [first, second] {
      for shift in stride(from: UInt64(0), to: 64, by: 8) {
        pending.append(UInt8(truncatingIfNeeded: value >> shift))
      }
    }
    while pending.count < end { pending.append(0) }
  }

  private mutating func flush(above bytes: Int) {
    guard pending.count > bytes else { return }
    hash.update(data: pending)
    pending.removeAll(keepingCapacity: true)
  }
}
