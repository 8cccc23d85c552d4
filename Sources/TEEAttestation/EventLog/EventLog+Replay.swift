import Crypto
import TEEEvidence

extension EventLog {
  /// The values that RTMR0 to RTMR3 have after every event of the log, 48 bytes each.
  ///
  /// `RTMR' = SHA-384(RTMR ‖ digest)` from zero (TDX module specification, TDG.MR.RTMR.EXTEND).
  /// A log proves something only where its replay equals the registers of verified evidence.
  public func replay() -> [[UInt8]] {
    var registers = [[UInt8]](
      repeating: [UInt8](repeating: 0, count: 48), count: TDReport.rtmrCount)
    for event in events where !event.isInformative {
      guard case .rtmr(let index) = event.register else { continue }
      var hash = SHA384()
      hash.update(data: registers[index])
      hash.update(data: event.digest ?? EventLog.runtimeDigest(event))
      registers[index] = Array(hash.finalize())
    }
    return registers
  }

  /// dstack's digest of a runtime event: SHA-384 of type (little-endian), name and data, each
  /// after the first set off by a colon.
  private static func runtimeDigest(_ event: Event) -> [UInt8] {
    var hash = SHA384()
    hash.update(data: littleEndian(event.type))
    hash.update(data: [0x3A])
    hash.update(data: event.name)
    hash.update(data: [0x3A])
    hash.update(data: event.data)
    return Array(hash.finalize())
  }

  private static func littleEndian(_ type: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: type >> (8 * UInt32($0))) }
  }
}
