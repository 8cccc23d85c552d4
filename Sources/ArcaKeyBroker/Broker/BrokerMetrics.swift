import Synchronization

/// Counts what the broker does, for Prometheus.
public final class BrokerMetrics: Sendable {
  private let counts = Mutex<[String: UInt64]>([:])

  /// Starts at zero.
  public init() {}

  /// Counts one event of `name` that ended in `outcome`.
  public func count(_ name: String, _ outcome: String) {
    counts.withLock { $0["arca_kbs_\(name)_total{outcome=\"\(outcome)\"}", default: 0] += 1 }
  }

  /// The counters in Prometheus' text format, version 0.0.4.
  public var text: String {
    let lines = counts.withLock { $0 }.sorted { $0.key < $1.key }
    var out = ""
    var family = ""
    for (name, value) in lines {
      let base = String(name.prefix { $0 != "{" })
      if base != family { out += "# TYPE \(base) counter\n" }
      family = base
      out += "\(name) \(value)\n"
    }
    return out
  }
}
