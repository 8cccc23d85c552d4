import ArcaOCI
import ArcaTEE
import CArcaHost
import Foundation

extension OCIStore {
  private static let intervalMillisecondsDefault: Int64 = 5000
  /// How often it is looked whether the kernel has killed for want of memory.
  private static let lookMilliseconds: Int64 = 500

  /// `events`: what the outer container's control group counts, a line of JSON each time.
  ///
  /// With `--stats`, one line; otherwise one every `--interval` until the container ends, and one
  /// of the type `oom` where the kernel has killed a process in it for want of memory.
  ///
  /// - Parameters:
  ///   - line: The command line.
  ///   - emit: Takes each line, without its end.
  /// - Throws: ``RuntimeError/Code/notRunning`` where the container has ended.
  public func events(_ line: OCICommandLine, emit: (String) -> Void) throws(RuntimeError) {
    let id = try line.id()
    var interval = Self.intervalMillisecondsDefault
    if let text = line.value("interval") { interval = try Self.milliseconds(text) }
    let pid = Int32(try state(id).pid)
    let process = pid > 0 ? arca_pidfd_open(pid) : -1
    guard process >= 0 else { throw Self.hasEnded(id) }
    defer { close(process) }
    let group = try Self.controlGroup(of: pid, id)
    var waits = [pollfd(fd: process, events: Int16(POLLIN), revents: 0)]
    if line.has("stats") {
      let text = Self.event("stats", id, group.statistics)
      // What was read of a container that ended meanwhile may be another's, or nobody's.
      if try Self.ends(&waits, within: 0) { throw Self.hasEnded(id) }
      emit(text)
      return
    }
    var kills = group.memoryKills
    while true {
      var left = interval
      while left > 0 {
        let hasEnded = try Self.ends(&waits, within: Int32(min(left, Self.lookMilliseconds)))
        let now = group.memoryKills
        if now > kills { emit(Self.event("oom", id, nil)) }
        kills = max(kills, now)
        if hasEnded { return }
        left -= Self.lookMilliseconds
      }
      emit(Self.event("stats", id, group.statistics))
    }
  }

  private static func hasEnded(_ id: String) -> RuntimeError {
    RuntimeError(
      .notRunning,
      "container \(id) is not running; events tells of containers that are created or running",
      exitStatus: 1)
  }

  /// Whether the process ends within so much time.
  private static func ends(
    _ waits: inout [pollfd], within milliseconds: Int32
  ) throws(RuntimeError) -> Bool {
    do {
      try System.poll(&waits, timeoutMilliseconds: milliseconds)
    } catch {
      throw RuntimeError(error)
    }
    return waits[0].revents != 0
  }

  private static func controlGroup(of pid: Int32, _ id: String) throws(RuntimeError) -> ControlGroup
  {
    do {
      return ControlGroup(
        membership: String(
          decoding: try System.contents("/proc/\(pid)/cgroup", max: 1 << 16), as: UTF8.self),
        mounts: String(
          decoding: try System.contents("/proc/self/mountinfo", max: 1 << 22), as: UTF8.self))
    } catch {
      throw error.code == .system ? hasEnded(id) : RuntimeError(error)
    }
  }

  private static func event(_ type: String, _ id: String, _ data: JSONValue?) -> String {
    var members: [String: JSONValue] = ["type": .text(type), "id": .text(id)]
    members["data"] = data
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let bytes = try? encoder.encode(JSONValue.object(members))
    return bytes.map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  /// The milliseconds of a duration as runc takes it: `500ms`, `5s`, `1m30s`, `2h`.
  package static func milliseconds(_ text: String) throws(RuntimeError) -> Int64 {
    let units: [(name: String, milliseconds: Double)] = [
      ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
    ]
    var rest = text[...]
    var sum = 0.0
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isNumber || $0 == "." }
      rest = rest.dropFirst(digits.count)
      let name = rest.prefix { $0.isLetter }
      rest = rest.dropFirst(name.count)
      guard let value = Double(digits), let unit = units.first(where: { $0.name == name }) else {
        sum = 0
        break
      }
      sum += value * unit.milliseconds
    }
    guard sum >= 1, sum <= 86_400_000 else {
      throw RuntimeError(
        .usage,
        "--interval \(printable(text.utf8.prefix(64))): expected a duration from 1ms to 24h, such "
          + "as 500ms, 5s or 1m30s",
        exitStatus: 1)
    }
    return Int64(sum)
  }
}
