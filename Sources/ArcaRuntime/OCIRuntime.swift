import ArcaTEE
import CArcaHost
import Foundation
import Glibc

/// The OCI runtime that makes outer containers: crun, or runc where there is no crun.
struct OCIRuntime {
  private let program: String
  private let root: String
  private let flags: Int
  private let isSystemd: Bool

  /// Finds the runtime.
  ///
  /// crun refuses a host that has both cgroup versions mounted; it gets a private mount namespace
  /// without the second, which holds no controller there. Other hosts need nothing.
  init(_ installation: Installation) throws(RuntimeError) {
    try self.init(root: installation.state + "/oci", isSystemd: false)
  }

  /// Finds the runtime, which is to keep its state in the folder `root`.
  init(root: String, isSystemd: Bool) throws(RuntimeError) {
    self.root = root
    self.isSystemd = isSystemd
    guard let found = Self.installed else {
      throw RuntimeError(
        .installation, "OCI runtime: neither crun nor runc found; install crun (Debian: crun)")
    }
    program = found
    let mounts = (try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)) ?? ""
    let isHybrid = mounts.contains(" /sys/fs/cgroup/unified ")
    flags = isHybrid && found.hasSuffix("crun") ? Int(ARCA_SPAWN_HIDE_UNIFIED_CGROUP) : 0
  }

  /// The runtime that is installed, or nil.
  static var installed: String? {
    let candidates = ["crun", "runc"].flatMap { name in
      ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].map { "\($0)/\(name)" }
    }
    return candidates.first { isAccessible($0, X_OK) }
  }

  /// The control group of container `id`, beneath each hierarchy.
  static func controlGroup(_ id: String) -> String { "/arca-\(id)" }

  /// Runs the bundle as container `id`; the process ends when the container does.
  ///
  /// - Parameters:
  ///   - id: The container's id.
  ///   - bundle: The folder with `config.json`.
  ///   - log: The file for the runtime's own messages.
  ///   - descriptors: Standard input, output and error, and the launcher's line to the supervisor.
  /// - Returns: the process id.
  /// - Throws: ``RuntimeError/Code/ociRuntime`` where the runtime cannot be executed.
  func run(
    _ id: String, bundle: String, log: String, descriptors: [Int32]
  ) throws(RuntimeError) -> Int32 {
    do {
      return try System.spawn(
        [
          program, "--root", root, "--log", log, "run", "--bundle", bundle, "--preserve-fds", "1",
          id,
        ],
        environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], descriptors: descriptors,
        flags: flags | Int(ARCA_SPAWN_SESSION))
    } catch {
      throw RuntimeError(error, .ociRuntime)
    }
  }

  /// Whether the runtime has a container `id`.
  func knows(_ id: String) -> Bool { isAccessible("\(root)/\(id)", F_OK) }

  /// Whether the runtime can be told of a configuration outside of the bundle.
  var takesConfiguration: Bool { program.hasSuffix("crun") }

  /// Has the runtime do one operation with the caller's standard streams for the container; returns
  /// what it printed to standard output, where that is asked for.
  ///
  /// - Throws: ``RuntimeError/Code/ociRuntime`` with the runtime's own words.
  @discardableResult
  func perform(
    _ arguments: [String], log: String, capturesOutput: Bool = false
  ) throws(RuntimeError) -> String {
    let global =
      [program, "--root", root, "--log", log] + (isSystemd ? ["--systemd-cgroup"] : [])
    do {
      if capturesOutput {
        return try runTool(global + arguments, flags: flags)
      }
      // The container's process keeps these; SESSION would take a terminal away from it.
      let pid = try System.spawn(
        global + arguments, environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
        descriptors: [0, 1, 2], flags: flags)
      let status = System.reap(pid, wait: true) ?? 0
      guard status != 0 else { return "" }
    } catch let error as RuntimeError {
      throw RuntimeError(.ociRuntime, words(log) ?? error.detail, exitStatus: 1)
    } catch {
      throw RuntimeError(.ociRuntime, words(log) ?? "\(error)", exitStatus: 1)
    }
    throw RuntimeError(
      .ociRuntime, words(log) ?? "\(program) failed and said nothing", exitStatus: 1)
  }

  private func words(_ log: String) -> String? {
    guard let text = try? System.contents(log, max: 1 << 16), !text.isEmpty else { return nil }
    return printable(text.split(separator: UInt8(ascii: "\n")).suffix(2).joined(separator: [32]))
  }

  /// Kills the launcher of container `id`, and with it everything inside; none at all is fine.
  func kill(_ id: String) throws(RuntimeError) {
    guard isAccessible("\(root)/\(id)", F_OK) else { return }
    _ = try? runTool([program, "--root", root, "kill", id, "KILL"], flags: flags)
  }

  /// Ends and removes whatever is left of container `id`; nothing at all is fine.
  func remove(_ id: String) throws(RuntimeError) {
    if isAccessible("\(root)/\(id)", F_OK) {
      _ = try? runTool([program, "--root", root, "delete", "--force", id], flags: flags)
    }
    let groups =
      ["/sys/fs/cgroup"]
      + System.names(in: "/sys/fs/cgroup").map {
        "/sys/fs/cgroup/\($0)"
      }
    for group in groups.map({ $0 + Self.controlGroup(id) }) where isAccessible(group, F_OK) {
      endProcesses(of: group)
      removeEmptyFolder(group)
    }
    try? FileManager.default.removeItem(atPath: "\(root)/\(id)")
  }

  /// Kills what is left in a control group and waits, at most a second, until it has gone.
  private func endProcesses(of group: String) {
    for _ in 0..<100 {
      let text = (try? String(contentsOfFile: group + "/cgroup.procs", encoding: .utf8)) ?? ""
      let pids = text.split(separator: "\n").compactMap { Int32($0) }.filter { $0 > 0 }
      if pids.isEmpty { return }
      for pid in pids { Glibc.kill(pid, SIGKILL) }
      usleep(10_000)
    }
  }
}
