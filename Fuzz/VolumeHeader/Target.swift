import ArcaManifest

/// A header of a volume, and the decision about it: nothing that was not written under the key is
/// taken, and no counter makes an older state acceptable.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzVolumeHeader(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  let key = [UInt8](repeating: 7, count: VolumeHeader.keyBytes)
  precondition(VolumeHeader(bytes, key: key) == nil)
  func number(_ offset: Int) -> UInt64 {
    bytes.dropFirst(offset).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }
  let header = VolumeHeader(
    generation: number(0), diskSectors: number(8), dataSectors: number(16),
    salt: [UInt8](repeating: 1, count: 32))
  precondition(VolumeHeader(header.block(key: key), key: key) == header)
  let counter = number(24)
  switch VolumeHeader.decide(header, counter: counter, diskSectors: number(32), isBlank: false) {
  case .advance(let accepted, let headerToo):
    precondition(accepted == header && header.diskSectors == number(32))
    precondition(header.generation == counter + (headerToo ? 0 : 1))
  case .format: preconditionFailure("a disk with a header is not new")
  case .refused: break
  }
  return 0
}
