import ArcaOCI
import ArcaTEE
import Foundation

extension OCIStore {
  private static let resourcesBytesMax = 1 << 20

  /// `update`: sets new limits for the outer container; what a running guest cannot follow is
  /// refused.
  ///
  /// - Throws: ``RuntimeError/Code/unsupported`` where less memory is asked for than the guest has.
  public func update(_ line: OCICommandLine) throws(RuntimeError) {
    let id = try line.id()
    let container = try find(id)
    var resources = try Self.resources(line)
    if !container.record.isSandbox {
      let launch: LaunchDescription
      do {
        launch = try LaunchDescription(
          decoding: try System.contents(container.folder + "/job/launch", max: 1 << 16))
      } catch {
        throw RuntimeError(error)
      }
      resources = try resources.leavingRoom(forGuestMiB: launch.memoryMiB)
    }
    let path = container.folder + "/resources"
    guard let bytes = try? JSONEncoder().encode(resources) else {
      throw RuntimeError(.state, "\(path): cannot be written")
    }
    try write(path, Array(bytes))
    try runtime().perform(
      ["update", "--resources", path, id], log: container.folder + "/outer.log")
  }

  /// What `--resources` names, or what the options of runc and crun say.
  private static func resources(_ line: OCICommandLine) throws(RuntimeError) -> OuterResources {
    guard let path = line.value("resources") else { return try OuterResources(options: line) }
    do {
      let bytes =
        path == "-"
        ? try FileHandle.standardInput.read(upToCount: resourcesBytesMax) ?? Data()
        : Data(try System.contents(path, max: resourcesBytesMax))
      return try JSONDecoder().decode(OuterResources.self, from: bytes)
    } catch {
      throw RuntimeError(.usage, "--resources \(path): not resources of a container: \(error)")
    }
  }
}

/// The limits that can change while a container runs (runtime-spec, "Linux resources").
private struct OuterResources: Codable {
  struct Memory: Codable {
    var limit: Int64?
    var reservation: Int64?
    var swap: Int64?
  }

  var memory: Memory?
  var cpu: JSONValue?
  var pids: JSONValue?
  var blockIO: JSONValue?

  /// The limits that `line`'s options give.
  init(options line: OCICommandLine) throws(RuntimeError) {
    func number(_ name: String) throws(RuntimeError) -> Int64? {
      guard let text = line.value(name) else { return nil }
      guard let value = Int64(text) else {
        throw RuntimeError(.usage, "--\(name): found \(text), expected a whole number")
      }
      return value
    }
    let limits = Memory(
      limit: try number("memory"), reservation: try number("memory-reservation"),
      swap: try number("memory-swap"))
    if limits.limit ?? limits.reservation ?? limits.swap != nil { memory = limits }
    var processor: [String: JSONValue] = [:]
    // crun's name, then runc's.
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

  /// The limits of the control group that let the guest have what these say.
  func leavingRoom(forGuestMiB guest: Int) throws(RuntimeError) -> OuterResources {
    var result = self
    // Engines also send limits that were not asked for, as 0.
    guard var memory, let limit = memory.limit, limit > 0 else {
      result.memory = nil
      return result
    }
    guard limit >> 20 >= Int64(guest) else {
      throw RuntimeError(
        .unsupported,
        "memory limit: \(limit >> 20) MiB, but the guest has \(guest) MiB since its start and "
          + "cannot give any back; make the container anew with the lower limit")
    }
    let overhead = Int64(OuterContainer.overheadMiB) << 20
    memory.limit = limit + overhead
    if let swap = memory.swap, swap > 0 { memory.swap = swap + overhead }
    result.memory = memory
    return result
  }
}
