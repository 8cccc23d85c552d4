import CArcaHost

/// How the bytes of a layer are packed.
package enum Compression: Sendable {
  /// A bare tar stream.
  case none
  /// RFC 1952.
  case gzip
  /// RFC 8878.
  case zstd

  /// What the first bytes of a file say.
  package static func detect(_ head: [UInt8]) -> Compression {
    if head.starts(with: [0x1f, 0x8b]) { return .gzip }
    // A Zstandard frame, or one of the sixteen kinds of skippable frame.
    if head.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) { return .zstd }
    if head.count >= 4, head[0] & 0xf0 == 0x50, head[1...3].elementsEqual([0x2a, 0x4d, 0x18]) {
      return .zstd
    }
    return .none
  }
}

/// A running decompression of one gzip or Zstandard stream.
@safe struct Decompressor: ~Copyable {
  /// Where the stream stands.
  enum State { case inside, boundary, corrupt }

  private let handle: OpaquePointer

  /// Fails only where there is no memory; `compression` must not be `.none`.
  init?(_ compression: Compression) {
    // SAFETY: the handle is owned here alone and freed once, in deinit.
    guard let made = unsafe arca_decompressor_new(compression == .gzip ? ARCA_GZIP : ARCA_ZSTD)
    else { return nil }
    unsafe handle = made
  }

  // SAFETY: the only free of the handle made in init.
  deinit { unsafe arca_decompressor_free(handle) }

  /// Unpacks from `input` into `output` from its start; says how much of both was used.
  func step(_ input: ArraySlice<UInt8>, into output: inout [UInt8])
    -> (state: State, inputUsed: Int, outputUsed: Int)
  {
    var inputUsed = 0
    var outputUsed = 0
    // SAFETY: both buffers outlive the call and are passed with their true sizes.
    let result = unsafe input.withUnsafeBufferPointer { from in
      unsafe output.withUnsafeMutableBufferPointer { to in
        unsafe arca_decompressor_step(
          handle, from.baseAddress, from.count, &inputUsed, to.baseAddress, to.count, &outputUsed)
      }
    }
    let state: State =
      result == ARCA_STEP_MORE ? .inside : result == ARCA_STEP_BOUNDARY ? .boundary : .corrupt
    return (state, inputUsed, outputUsed)
  }
}
