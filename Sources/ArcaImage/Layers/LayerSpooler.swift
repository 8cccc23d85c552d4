import ArcaBytes
import Crypto

/// A layer as an image's manifest and configuration describe it.
package struct LayerDescription: Sendable {
  /// For messages: which layer, and its digest.
  package var label: String
  /// The packed bytes.
  package var blob: ByteRange
  /// The digest that the packed bytes must have, 32 bytes; nil where none is known.
  package var digest: [UInt8]?
  /// The SHA-256 digest that the unpacked bytes must have; nil where none is known.
  package var diffID: [UInt8]?
  /// The packing that the media type states; nil where it states none.
  package var compression: Compression?
}

/// Unpacks layers into unnamed temporary files and checks both of their digests on the way.
struct LayerSpooler {
  static let chunkBytes = 256 << 10

  let directory: String
  let limits: ImageLimits
  /// Called with the count of packed bytes read since the last call.
  let advance: (UInt64) -> Void
  /// How many bytes all layers may still unpack to.
  private var bytesLeft: UInt64

  init(directory: String, limits: ImageLimits, advance: @escaping (UInt64) -> Void) {
    self.directory = directory
    self.limits = limits
    self.advance = advance
    bytesLeft = limits.uncompressedBytesMax
  }

  /// The unpacked tar stream of `layer`.
  mutating func spool(_ layer: LayerDescription) throws(ImageError) -> DataFile {
    let found = Compression.detect(try layer.blob.read(at: 0, count: 4))
    if let stated = layer.compression, stated != found {
      throw ImageError(
        .unsupported,
        "\(layer.label): the media type says \(stated), the first bytes say \(found)")
    }
    let output = SpoolWriter(file: try DataFile.unnamed(in: directory))
    var packed = SHA256()
    switch found {
    case .none: try copy(layer, to: output, packed: &packed)
    case .gzip, .zstd: try unpack(layer, found, to: output, packed: &packed)
    }
    if let expected = layer.digest {
      try Self.check(packed.finalize(), expected, "\(layer.label): the digest of its bytes")
    }
    if let expected = layer.diffID {
      try Self.check(output.finish(), expected, "\(layer.label): the digest once unpacked")
    }
    return output.file
  }

  private mutating func copy(
    _ layer: LayerDescription, to output: SpoolWriter, packed: inout SHA256
  ) throws(ImageError) {
    var offset: UInt64 = 0
    while offset < layer.blob.byteCount {
      let chunk = try next(of: layer, at: offset)
      packed.update(data: chunk)
      try emit(chunk[...], of: layer, to: output)
      offset += UInt64(chunk.count)
    }
  }

  private mutating func unpack(
    _ layer: LayerDescription, _ format: Compression, to output: SpoolWriter,
    packed: inout SHA256
  ) throws(ImageError) {
    guard let decompressor = Decompressor(format) else {
      throw ImageError(.system, "\(layer.label): no memory to unpack it")
    }
    var buffer = [UInt8](repeating: 0, count: Self.chunkBytes)
    var state = Decompressor.State.boundary
    var offset: UInt64 = 0
    while offset < layer.blob.byteCount {
      let chunk = try next(of: layer, at: offset)
      packed.update(data: chunk)
      offset += UInt64(chunk.count)
      var rest = chunk[...]
      // A full output buffer may hide more that the decompressor still holds.
      var outputFull = false
      while !rest.isEmpty || outputFull {
        let step = decompressor.step(rest, into: &buffer)
        guard step.state != .corrupt else {
          throw ImageError(.malformed, "\(layer.label): not valid \(format) data")
        }
        rest = rest.dropFirst(step.inputUsed)
        state = step.state
        outputFull = step.outputUsed == buffer.count
        try emit(buffer[..<step.outputUsed], of: layer, to: output)
      }
    }
    guard state == .boundary else {
      throw ImageError(.truncated, "\(layer.label): the \(format) stream ends too early")
    }
  }

  private func next(of layer: LayerDescription, at offset: UInt64) throws(ImageError) -> [UInt8] {
    let chunk = try layer.blob.read(at: offset, count: Self.chunkBytes)
    guard !chunk.isEmpty else {
      throw ImageError(
        .truncated,
        "\(layer.label): \(layer.blob.name) ends after \(offset) of "
          + "\(layer.blob.byteCount) bytes")
    }
    advance(UInt64(chunk.count))
    return chunk
  }

  private mutating func emit(
    _ bytes: ArraySlice<UInt8>, of layer: LayerDescription, to output: SpoolWriter
  ) throws(ImageError) {
    guard UInt64(bytes.count) <= bytesLeft else {
      throw ImageError(
        .limitExceeded,
        "\(layer.label): the image unpacks to more than the limit of "
          + "\(limits.uncompressedBytesMax) bytes")
    }
    bytesLeft -= UInt64(bytes.count)
    try output.append(bytes)
  }

  static func check(_ found: SHA256.Digest, _ expected: [UInt8], _ what: String)
    throws(ImageError)
  {
    guard found.elementsEqual(expected) else {
      throw ImageError(
        .digestMismatch,
        "\(what) is sha256:\(Hex.encode(Array(found))), expected sha256:\(Hex.encode(expected))")
    }
  }
}

/// Appends to a temporary file and hashes what passes.
private final class SpoolWriter {
  let file: DataFile
  private var hash = SHA256()
  private var offset: UInt64 = 0

  init(file: DataFile) { self.file = file }

  func append(_ bytes: ArraySlice<UInt8>) throws(ImageError) {
    guard !bytes.isEmpty else { return }
    hash.update(data: bytes)
    try file.write(bytes, at: offset)
    offset += UInt64(bytes.count)
  }

  func finish() -> SHA256.Digest { hash.finalize() }
}
