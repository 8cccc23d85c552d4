import ArcaOCI

extension ControlGroup {
  private static let nanosecondsInTick: UInt64 = 10_000_000
  private static let listCountMax: UInt64 = 1 << 13

  /// What the kernel counts, in the shape that runc's `events` prints: names, units and which
  /// zeros are left out are runc's.
  package var statistics: JSONValue {
    .object([
      "cpu": processor, "cpuset": processorSet, "memory": memory, "pids": processes,
      "blkio": isUnified("blkio") ? unifiedBlockIO : blockIO,
      "hugetlb": hugePages,
      // Neither is a thing of the control group's; runc prints them all the same.
      "intel_rdt": .object([:]), "network_interfaces": .null,
    ])
  }

  private static func numbers(_ values: [String: UInt64?], kept: [String] = []) -> JSONValue {
    var members: [String: JSONValue] = [:]
    for (name, value) in values where value ?? 0 > 0 || kept.contains(name) {
      members[name] = number(value ?? 0)
    }
    return .object(members)
  }

  private static func number(_ value: UInt64) -> JSONValue {
    Int64(exactly: value).map(JSONValue.integer) ?? .unsigned(value)
  }

  private static func product(_ value: UInt64?, _ factor: UInt64) -> UInt64 {
    let result = (value ?? 0).multipliedReportingOverflow(by: factor)
    return result.overflow ? .max : result.partialValue
  }

  private static func list(_ values: [UInt64]) -> JSONValue? {
    values.isEmpty ? nil : .array(values.map(number))
  }

  // MARK: Processors

  private var processor: JSONValue {
    let counted = table("cpu", "cpu.stat")
    let usage: JSONValue
    if isUnified("cpu") {
      usage = Self.numbers(
        [
          "total": Self.product(counted["usage_usec"], 1000),
          "kernel": Self.product(counted["system_usec"], 1000),
          "user": Self.product(counted["user_usec"], 1000),
        ], kept: ["kernel", "user"])
    } else {
      usage = processorUsage
    }
    return .object([
      "usage": usage,
      "throttling": Self.numbers([
        "periods": counted["nr_periods"], "throttledPeriods": counted["nr_throttled"],
        "throttledTime": counted["throttled_time"] ?? Self.product(counted["throttled_usec"], 1000),
      ]),
    ])
  }

  /// Version 1 counts what was used apart from what is granted.
  private var processorUsage: JSONValue {
    let ticks = table("cpuacct", "cpuacct.stat")
    var members: [String: JSONValue] = [
      "kernel": Self.number(Self.product(ticks["system"], Self.nanosecondsInTick)),
      "user": Self.number(Self.product(ticks["user"], Self.nanosecondsInTick)),
    ]
    members["total"] = number("cpuacct", "cpuacct.usage").map(Self.number)
    let each = (text("cpuacct", "cpuacct.usage_percpu") ?? "").split { $0.isWhitespace }
    members["percpu"] = Self.list(each.compactMap { UInt64($0) })
    // Lines `PROCESSOR USER SYSTEM` beneath their heading.
    let parts = (text("cpuacct", "cpuacct.usage_all") ?? "").split(separator: "\n").map {
      $0.split(separator: " ").compactMap { UInt64($0) }
    }.filter { $0.count == 3 }
    members["percpu_user"] = Self.list(parts.map { $0[1] })
    members["percpu_kernel"] = Self.list(parts.map { $0[2] })
    return .object(members)
  }

  private var processorSet: JSONValue {
    let isUnified = isUnified("cpuset")
    let suffix = isUnified ? ".effective" : ""
    var members: [String: JSONValue] = [:]
    members["cpus"] = Self.list(Self.members(of: text("cpuset", "cpuset.cpus" + suffix)))
    members["mems"] = Self.list(Self.members(of: text("cpuset", "cpuset.mems" + suffix)))
    for name in [
      "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
      "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level",
    ] {
      let text = isUnified ? nil : text("cpuset", "cpuset." + name)
      members[name] = .integer(text.flatMap { Int64($0.prefix { !$0.isWhitespace }) } ?? 0)
    }
    return .object(members)
  }

  /// The numbers of a list such as `0-3,8`.
  private static func members(of list: String?) -> [UInt64] {
    var result: [UInt64] = []
    for range in (list ?? "").filter({ !$0.isWhitespace }).split(separator: ",") {
      let ends = range.split(separator: "-").map { UInt64($0) ?? listCountMax }
      guard let first = ends.first, let last = ends.last, first <= last, last < listCountMax else {
        continue
      }
      result += first...last
    }
    return result
  }

  // MARK: Memory

  private var memory: JSONValue {
    let raw = table("memory", "memory.stat")
    var members: [String: JSONValue] = [:]
    if !raw.isEmpty { members["raw"] = .object(raw.mapValues(Self.number)) }
    let isUnified = isUnified("memory")
    if let cache = raw[isUnified ? "file" : "cache"], cache > 0 {
      members["cache"] = Self.number(cache)
    }
    func entry(_ limit: UInt64?, _ usage: UInt64?, _ max: UInt64?, _ fails: UInt64?) -> JSONValue {
      Self.numbers(
        ["limit": limit, "usage": usage, "max": max, "failcnt": fails], kept: ["limit", "failcnt"])
    }
    guard isUnified else {
      for (name, prefix) in [
        "usage": "memory", "swap": "memory.memsw", "kernel": "memory.kmem",
        "kernelTCP": "memory.kmem.tcp",
      ] {
        members[name] = entry(
          number("memory", prefix + ".limit_in_bytes"),
          number("memory", prefix + ".usage_in_bytes"),
          number("memory", prefix + ".max_usage_in_bytes"), number("memory", prefix + ".failcnt"))
      }
      return .object(members)
    }
    let limit = number("memory", "memory.max") ?? 0
    let usage = number("memory", "memory.current") ?? 0
    members["usage"] = entry(limit, usage, number("memory", "memory.peak"), nil)
    // Version 2 counts swap alone; the shape, version 1's, has it together with memory.
    let swap = number("memory", "memory.swap.max") ?? 0
    let both = limit.addingReportingOverflow(swap)
    members["swap"] = entry(
      both.overflow ? .max : both.partialValue,
      usage &+ (number("memory", "memory.swap.current") ?? 0), nil, nil)
    members["kernel"] = entry(nil, nil, nil, nil)
    members["kernelTCP"] = entry(nil, nil, nil, nil)
    return .object(members)
  }

  private var hugePages: JSONValue {
    let isUnified = isUnified("hugetlb")
    let suffix = isUnified ? ".current" : ".usage_in_bytes"
    var sizes: [String: JSONValue] = [:]
    for name in names("hugetlb") where name.hasPrefix("hugetlb.") && name.hasSuffix(suffix) {
      let size = String(name.dropFirst("hugetlb.".count).dropLast(suffix.count))
      guard !size.hasSuffix(".rsvd") else { continue }
      let fails =
        isUnified
        ? table("hugetlb", "hugetlb.\(size).events")["max"]
        : number("hugetlb", "hugetlb.\(size).failcnt")
      sizes[size] = Self.numbers(
        [
          "usage": number("hugetlb", name), "failcnt": fails,
          "max": isUnified ? nil : number("hugetlb", "hugetlb.\(size).max_usage_in_bytes"),
        ], kept: ["failcnt"])
    }
    return .object(sizes)
  }

  // MARK: Processes and disks

  private var processes: JSONValue {
    let limit = number("pids", "pids.max")
    return Self.numbers([
      "current": number("pids", "pids.current"), "limit": limit == .max ? nil : limit,
    ])
  }

  private static func transfer(
    _ device: Substring, _ operation: String, _ value: UInt64
  ) -> JSONValue {
    let numbers = device.split(separator: ":").map { UInt64($0) ?? 0 }
    guard numbers.count == 2,
      case .object(var members) = Self.numbers([
        "major": numbers[0], "minor": numbers[1], "value": value,
      ])
    else { return .null }
    members["op"] = .text(operation)
    return .object(members)
  }

  /// Lines `MAJOR:MINOR OPERATION NUMBER`, and a last one with the sum of all devices.
  private var blockIO: JSONValue {
    var members: [String: JSONValue] = [:]
    for (name, file) in [
      "ioServiceBytesRecursive": "blkio.throttle.io_service_bytes_recursive",
      "ioServicedRecursive": "blkio.throttle.io_serviced_recursive",
    ] {
      var found: [JSONValue] = []
      for line in (text("blkio", file) ?? "").split(separator: "\n") {
        let words = line.split(separator: " ")
        guard words.count == 3, let value = UInt64(words[2]) else { continue }
        found.append(Self.transfer(words[0], String(words[1]), value))
      }
      if !found.isEmpty { members[name] = .array(found) }
    }
    return .object(members)
  }

  /// Lines `MAJOR:MINOR rbytes=N wbytes=N rios=N wios=N …`.
  private var unifiedBlockIO: JSONValue {
    let kinds: [Substring: (name: String, operation: String)] = [
      "rbytes": ("ioServiceBytesRecursive", "Read"), "wbytes": ("ioServiceBytesRecursive", "Write"),
      "rios": ("ioServicedRecursive", "Read"), "wios": ("ioServicedRecursive", "Write"),
    ]
    var found: [String: [JSONValue]] = [:]
    for line in (text("blkio", "io.stat") ?? "").split(separator: "\n") {
      let words = line.split(separator: " ")
      for word in words.dropFirst() {
        let pair = word.split(separator: "=")
        guard pair.count == 2, let kind = kinds[pair[0]], let value = UInt64(pair[1]) else {
          continue
        }
        found[kind.name, default: []].append(Self.transfer(words[0], kind.operation, value))
      }
    }
    return .object(found.mapValues(JSONValue.array))
  }
}
