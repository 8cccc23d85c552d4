import ArcaBytes

/// How far a launch has come, as the launcher records it for `arca`.
public struct LaunchStatus: Sendable {
  /// The stages of a launch, in order; the last two are final.
  public enum State: String, Sendable {
    /// The guest boots.
    case starting
    /// The workload runs.
    case running
    /// The workload has ended by itself.
    case exited
    /// The launch failed, or was ended.
    case failed
  }

  /// A moment of the start, on the monotonic clock.
  public enum Mark: String, Sendable, CaseIterable {
    /// The launcher's first instruction.
    case launcher
    /// QEMU has been executed.
    case vmm
    /// The files that are booted have been measured.
    case measured
    /// `arca-init` answers.
    case ready
    /// The guest has its evidence.
    case evidence
    /// The workload's first instruction.
    case started
    /// The workload has ended.
    case ended
  }

  /// The stage.
  public var state: State = .starting
  /// The exit status, once the state is final.
  public var exitStatus: UInt8 = 0
  /// Why the launch failed.
  public var error: TEEError?
  /// The launch digest of what was booted, 48 bytes, or none yet.
  public var measurement: [UInt8] = []
  /// Microseconds of the monotonic clock at each moment reached.
  public var marks: [Mark: UInt64] = [:]

  /// The status of a launch that has just begun.
  public init() {}

  /// Notes the moment, the first time only.
  mutating func note(_ mark: Mark) {
    if marks[mark] == nil { marks[mark] = System.monotonicMicroseconds }
  }

  /// The CBOR of the status.
  public func encoded() -> [UInt8] {
    var writer = RecordWriter()
      .text("state", state.rawValue)
      .unsigned("exitStatus", UInt64(exitStatus))
      .text("errorCode", error?.code.rawValue ?? "")
      .text("errorDetail", error?.detail ?? "")
      .unsigned("errorNumber", UInt64(error?.systemError ?? 0))
      .bytes("measurement", measurement)
    for mark in Mark.allCases {
      writer = writer.unsigned(mark.rawValue + "Microseconds", marks[mark] ?? 0)
    }
    return writer.encoded()
  }

  /// Reads a status that ``encoded()`` wrote.
  public init(decoding encoded: [UInt8]) throws(TEEError) {
    let record = try RecordReader(encoded, of: "launch status")
    guard let state = State(rawValue: try record.text("state")) else {
      throw TEEError(.description, "launch status: unknown state")
    }
    self.state = state
    exitStatus = UInt8(try record.unsigned("exitStatus", 0...255))
    measurement = try record.bytes("measurement")
    if let code = TEEError.Code(rawValue: try record.text("errorCode")) {
      error = TEEError(
        code, try record.text("errorDetail"),
        systemError: Int32(try record.unsigned("errorNumber", 0...4096)))
    }
    for mark in Mark.allCases {
      let moment = try record.unsigned(mark.rawValue + "Microseconds")
      if moment > 0 { marks[mark] = moment }
    }
  }
}
