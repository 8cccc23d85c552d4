import TEEEvidence

/// Reads the input as an event log in both formats; every event that extends has what it extends.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzEventLog(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  for log in [try? EventLog(ccel: bytes), try? EventLog(json: bytes)] {
    for event in log?.events ?? [] {
      precondition(event.isInformative || event.isRuntime || event.digest?.count == 48)
      if case .rtmr(let index) = event.register { precondition((0..<4).contains(index)) }
    }
  }
  return 0
}
