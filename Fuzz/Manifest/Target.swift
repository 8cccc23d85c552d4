import ArcaBytes
import ArcaManifest

/// A manifest and host input, split at a 16-bit length: what is read is written as it was, and a
/// merge changes nothing that no rule allows.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzManifest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard bytes.count >= 2 else { return 0 }
  let length = min(Int(bytes[0]) | Int(bytes[1]) << 8, bytes.count - 2)
  let (first, second) = (Array(bytes[2..<2 + length]), Array(bytes[(2 + length)...]))
  let input = try? HostInput(decoding: second)
  if let input { precondition(input.encoded() == second) }
  guard let manifest = try? WorkloadManifest(decoding: first) else { return 0 }
  precondition(manifest.encoded() == first)
  if let input, let merged = try? manifest.merged(with: input) {
    precondition(merged.rootFilesystem == manifest.rootFilesystem)
    precondition(merged.mounts == manifest.mounts && merged.hostMay == manifest.hostMay)
    precondition(manifest.hostMay.replaceArgs || merged.process.args == manifest.process.args)
    precondition(!manifest.hostMay.setEnv.isEmpty || merged.process.env == manifest.process.env)
    precondition(merged.process.uid == manifest.process.uid)
    precondition(merged.process.capabilities == manifest.process.capabilities)
  }
  return 0
}
