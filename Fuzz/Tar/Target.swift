import ArcaImage

/// Bytes in memory, in which the checksums of headers are always right, since fuzzers find none.
private struct Memory: ByteSource {
  let bytes: [UInt8]
  let name = "input"
  var byteCount: UInt64 { UInt64(bytes.count) }

  func read(at offset: UInt64, count: Int) -> [UInt8] {
    guard offset < byteCount, count > 0 else { return [] }
    let start = Int(offset)
    let part = Array(bytes[start..<start + min(count, bytes.count - start)])
    guard count == 512, part.count == 512, part[257..<262].elementsEqual("ustar".utf8) else {
      return part
    }
    var header = part
    header.replaceSubrange(148..<156, with: repeatElement(0x20, count: 8))
    let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
    header.replaceSubrange(148..<148 + sum.utf8.count, with: sum.utf8)
    return header
  }
}

/// A hostile layer: whatever it says, it is refused, or becomes a file system within the limits.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTar(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let layer = Memory(bytes: Array(UnsafeBufferPointer(start: start, count: count)))
  var limits = ImageLimits()
  limits.uncompressedBytesMax = 4 << 20
  limits.fileBytesMax = 1 << 30
  var merge = LayerMerge(limits: limits)
  do {
    try merge.apply(layer, label: "input")
    let image = try DataFile.unnamed(in: "/dev/shm")
    _ = try ErofsWriter.write(merge.root, to: image, bytesMax: limits.uncompressedBytesMax)
    precondition(image.byteCount <= limits.uncompressedBytesMax)
    precondition(image.byteCount % 4096 == 0)
  } catch {
    precondition(error.code != .system, error.detail)
  }
  return 0
}
