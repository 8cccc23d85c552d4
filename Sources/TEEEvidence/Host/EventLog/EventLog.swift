/// A log of what was extended into a TD's runtime measurement registers, in order.
///
/// The log is untrusted until its replay equals the registers of a verified quote.
public struct EventLog: Equatable, Sendable {
  /// Logs with more events than this are refused.
  public static let eventCountMax = 65_536
  /// Logs larger than this many bytes are refused.
  public static let byteCountMax = 16 << 20

  /// Which register an event was extended into.
  public enum Register: Equatable, Sendable {
    /// MRTD, which the TDX module alone extends; an event there is informative.
    case mrTD
    /// RTMR0 to RTMR3, by number.
    case rtmr(Int)
  }

  /// One event.
  public struct Event: Equatable, Sendable {
    /// Which register the event was extended into.
    public let register: Register
    /// The event's type (TCG PC Client Platform Firmware Profile, table "Events").
    public let type: UInt32
    /// The SHA-384 digest that was extended, 48 bytes; nil where the log does not store it.
    public let digest: [UInt8]?
    /// The event's name, in logs that give one; UTF-8.
    public let name: [UInt8]
    /// The event's data; for most types not what was hashed.
    public let data: [UInt8]

    /// Whether the event only informs and extends nothing (EV_NO_ACTION).
    public var isInformative: Bool { type == EventLog.noAction }

    /// Whether the event is dstack's runtime event, whose digest follows from its name and data.
    public var isRuntime: Bool { type == EventLog.runtime }
  }

  /// EV_NO_ACTION.
  public static let noAction: UInt32 = 3
  /// dstack's type of runtime events.
  public static let runtime: UInt32 = 0x0800_0001

  /// The events, in the order of the log.
  public let events: [Event]
}
