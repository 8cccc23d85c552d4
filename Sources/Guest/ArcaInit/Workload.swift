import ArcaManifest
import ArcaWire
import CArcaGuest

/// A process that init has started, the workload's first one or one beside it, and init's ends of
/// its streams.
struct Workload {
  /// What a process sees around it.
  enum Surroundings {
    /// Namespaces of its own, made for it.
    case new(isRootReadOnly: Bool)
    /// Those of the workload, which is process 1 there.
    case workload
  }

  let pid: Int32
  /// Standard input; -1 with a terminal.
  var input: Int32
  /// Standard output, or the terminal in both directions.
  var output: Int32
  /// Standard error; -1 with a terminal.
  var error: Int32
  let isTerminal: Bool

  /// Starts the program in namespaces of its own, and returns once `execve` has succeeded.
  ///
  /// It is process 1 of its PID namespace, as in any container, and can neither see nor signal
  /// init.
  static func start(
    _ process: WorkloadProcess, _ streams: Streams, _ surroundings: Surroundings
  ) throws(InitError) -> Workload {
    let pid: Int32
    let report: (reading: Int32, writing: Int32)
    do {
      report = try System.pipe()
      // Later children of init are born in the namespace that the first one got.
      if case .new = surroundings { _ = try System.check(arca_unshare_pids()) }
      pid = try System.check(arca_fork())
    } catch {
      throw error.named(.environment, "process")
    }
    if pid == 0 {
      let error = becomeWorkload(process, streams, surroundings)
      _ = try? System.write(report.writing, [error.failure.rawValue] + error.detail, from: 0)
      arca_exit(1)
    }
    System.close(report.writing)
    streams.closeWorkloadEnds()
    // The pipe closes without a byte when execve succeeds.
    let bytes = (try? System.read(report.reading, 2048)) ?? []
    System.close(report.reading)
    if let first = bytes.first {
      throw InitError(GuestFailure(rawValue: first) ?? .environment, Array(bytes.dropFirst()))
    }
    return Workload(
      pid: pid, input: streams.input.ours, output: streams.output.ours,
      error: streams.error.ours, isTerminal: streams.isTerminal)
  }

  private static func becomeWorkload(
    _ process: WorkloadProcess, _ streams: Streams, _ surroundings: Surroundings
  ) -> InitError {
    do {
      switch surroundings {
      case .new(let isRootReadOnly):
        try step(.environment, "mount namespace", arca_unshare_mounts())
        try ContainerEnvironment.makeProc(isRootReadOnly: isRootReadOnly)
      case .workload: try step(.environment, "mount namespace", arca_join_mounts(1))
      }
      try step(.environment, "signals", arca_restore_signals())
      for (target, end) in [streams.input, streams.output, streams.error].enumerated() {
        try step(.environment, "standard streams", arca_redirect(end.workload, Int32(target)))
      }
      try step(.environment, "descriptors", arca_close_from(3))
      if streams.isTerminal { try step(.environment, "terminal", arca_terminal_take()) }
      try step(.process, "bounding set", arca_bounding_set(process.capabilities))
      try step(.process, "capabilities", arca_keep_capabilities())
      // What engines give a container of whose processes and open files nothing is said.
      for resource in [6, 7] as [Int32] {
        try step(.process, "limits", arca_rlimit(resource, 1 << 20, 1 << 20))
      }
      try assume(process)
      try step(
        .process, "capabilities",
        arca_capabilities(process.capabilities, process.ambientCapabilities))
      if process.noNewPrivileges {
        try step(.process, "no_new_privs", arca_no_new_privileges())
      }
      return Command.execute(process)
    } catch {
      return error
    }
  }

  /// Gives this process the limits, user, folder and mask of `process`.
  static func assume(_ process: WorkloadProcess) throws(InitError) {
    for limit in process.rlimits {
      try step(
        .process, "limit \(limit.resource)",
        arca_rlimit(Int32(limit.resource), limit.soft, limit.hard))
    }
    try step(.process, "user and groups") { () throws(SystemError) in
      try System.setIdentity(uid: process.uid, gid: process.gid, groups: process.additionalGids)
    }
    arca_umask(process.umask)
    try step(.process, process.cwd) { () throws(SystemError) in
      try System.changeFolder(process.cwd)
    }
  }
}

/// Finds the program as a shell would, and executes it.
enum Command {
  private static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// Returns only where the program could not be executed.
  static func execute(_ process: WorkloadProcess) -> InitError {
    let program = process.args[0]
    var found = SystemError.notFound
    for path in candidates(program, process.env) {
      let errno = System.execute(path, process.args, process.env)
      if errno != SystemError.notFound, errno != SystemError.notFolder { found = errno }
      if errno != SystemError.accessDenied, errno != SystemError.notFound,
        errno != SystemError.notFolder
      {
        break
      }
    }
    let error = SystemError(errno: found)
    switch found {
    case SystemError.notFound: return error.named(.commandNotFound, program)
    case SystemError.io: return error.named(.corruption, program)
    default: return error.named(.commandNotExecutable, program)
    }
  }

  private static func candidates(_ program: String, _ env: [String]) -> [String] {
    if program.utf8.contains(UInt8(ascii: "/")) { return [program] }
    let key = Array("PATH=".utf8)
    var path = Array(defaultPath.utf8)
    for variable in env where same(variable.utf8.prefix(key.count), key) {
      path = Array(variable.utf8.dropFirst(key.count))
    }
    return path.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map {
      ($0.isEmpty ? "." : String(decoding: $0, as: UTF8.self)) + "/" + program
    }
  }
}
