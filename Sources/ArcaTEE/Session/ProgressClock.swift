import Glibc

/// Tells a guest that hangs from one that merely waits for a processor.
///
/// A start is given up after a time in which the guest could have run: the wall's time less what
/// QEMU's threads spent runnable but waiting (`/proc/PID/task/*/schedstat`, second field). So a
/// hundred guests that start at once on two processors all come up, and a halted one is noticed.
struct ProgressClock {
  /// How long a guest may run without coming a stage further.
  static let limitMicroseconds: UInt64 = 90_000_000
  /// How long the wall's time may be at most, whatever the accounting says.
  static let wallLimitMicroseconds: UInt64 = 1_800_000_000

  private let pid: Int32
  private var since = System.monotonicMicroseconds
  private var waitedBefore: UInt64 = 0

  init(pid: Int32) { self.pid = pid }

  /// The guest has come a stage further.
  mutating func restart() {
    since = System.monotonicMicroseconds
    waitedBefore = waitedMicroseconds
  }

  var isExpired: Bool {
    let wall = System.monotonicMicroseconds - since
    guard wall > Self.limitMicroseconds else { return false }
    let waited = waitedMicroseconds
    let starved = waited > waitedBefore ? waited - waitedBefore : 0
    return wall > Self.wallLimitMicroseconds
      || wall > starved && wall - starved > Self.limitMicroseconds
  }

  private var waitedMicroseconds: UInt64 {
    let tasks = "/proc/\(pid)/task"
    var most: UInt64 = 0
    for task in System.names(in: tasks) {
      guard let text = try? System.contents("\(tasks)/\(task)/schedstat", max: 256) else {
        continue
      }
      let fields = text.split(separator: UInt8(ascii: " "))
      if fields.count > 1, let nanoseconds = UInt64(String(decoding: fields[1], as: UTF8.self)) {
        most = max(most, nanoseconds / 1000)
      }
    }
    return most
  }
}
