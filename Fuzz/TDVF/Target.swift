import TEEMeasurement

/// Firmware images: the GUID table, SEV metadata, the TDVF descriptor, and what is measured.
///
/// The input is the image's end, where the tables are.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTDVF(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let lead =
    (LaunchLimits.pageBytes - input.count % LaunchLimits.pageBytes) % LaunchLimits.pageBytes
  let image = [UInt8](repeating: 0, count: lead) + input
  // Larger sections take long to hash and reach no other code.
  let measuredMax: UInt64 = 1 << 16
  if let firmware = try? TDVF(image: image),
    firmware.sections.reduce(0, { $0 + $1.byteCount }) <= measuredMax
  {
    precondition(firmware.mrtd().count == RTMR.byteCount)
    precondition(firmware.mrtd(order: .twoPass).count == RTMR.byteCount)
  }
  if let firmware = try? SEVFirmware(image: image),
    firmware.sections.reduce(0, { $0 + $1.byteCount }) <= measuredMax,
    let launch = try? SEVLaunch(firmware: firmware, kernel: SEVKernelHashes(kernel: input)),
    let digest = try? launch.snpDigest(vcpus: 2, cpu: CPUSignature(rawValue: 0))
  {
    precondition(digest.count == SNPLaunchDigest.byteCount)
  }
  return 0
}
