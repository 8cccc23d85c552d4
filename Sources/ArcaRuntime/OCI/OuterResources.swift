import ArcaOCI

/// The limits that can change while a container runs (runtime-spec, "Linux resources").
package struct OuterResources: Codable {
  /// Bytes; -1 is no limit, and 0, as engines send it, nothing that was asked for.
  package struct Memory: Codable, Equatable {
    package var limit: Int64?
    package var reservation: Int64?
    package var swap: Int64?
  }

  package var memory: Memory?
  package var cpu: JSONValue?
  package var pids: JSONValue?
  package var blockIO: JSONValue?

  /// The limits that the options of `line` give, in runc's names and crun's.
  package init(options line: OCICommandLine) throws(RuntimeError) {
    func number(_ name: String) throws(RuntimeError) -> Int64? {
      guard let text = line.value(name) else { return nil }
      guard let value = Int64(text) else {
        throw RuntimeError(.usage, "--\(name): found \(text), expected a whole number")
      }
      return value
    }
    memory = Memory(
      limit: try number("memory"), reservation: try number("memory-reservation"),
      swap: try number("memory-swap"))
    var processor: [String: JSONValue] = [:]
    for name in ["cpu-share", "cpu-shares"] {
      if let shares = try number(name) { processor["shares"] = .integer(shares) }
    }
    processor["quota"] = try number("cpu-quota").map(JSONValue.integer)
    processor["period"] = try number("cpu-period").map(JSONValue.integer)
    processor["cpus"] = line.value("cpuset-cpus").map(JSONValue.text)
    processor["mems"] = line.value("cpuset-mems").map(JSONValue.text)
    if !processor.isEmpty { cpu = .object(processor) }
    pids = try number("pids-limit").map { .object(["limit": .integer($0)]) }
    blockIO = try number("blkio-weight").map { .object(["weight": .integer($0)]) }
  }

  /// The limits of the control group that let a guest of `guest` MiB have what these say.
  ///
  /// - Throws: ``RuntimeError/Code/unsupported`` where that is less than it has.
  package func leavingRoom(forGuestMiB guest: Int) throws(RuntimeError) -> OuterResources {
    let overhead = Int64(OuterContainer.overheadMiB) << 20
    var result = self
    if let limit = memory?.limit, limit > 0 {
      guard limit >> 20 >= Int64(guest), limit < Int64.max - overhead else {
        throw RuntimeError(
          .unsupported,
          "memory limit: \(limit >> 20) MiB, but the guest has \(guest) MiB since its start and "
            + "cannot give any back; make the container anew with the lower limit")
      }
      result.memory?.limit = limit + overhead
    }
    if let swap = memory?.swap, swap > 0, swap < Int64.max - overhead {
      result.memory?.swap = swap + overhead
    }
    if result.memory?.limit == 0 { result.memory?.limit = nil }
    if result.memory?.reservation == 0 { result.memory?.reservation = nil }
    if result.memory?.swap == 0 { result.memory?.swap = nil }
    return result
  }
}
