import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// Starting a process, the workload's first one or one beside it.
enum Workload {
  /// What a process sees around it.
  enum Surroundings {
    /// Namespaces of its own, made for it.
    case new(isRootReadOnly: Bool)
    /// Those of the workload, which is process 1 there.
    case workload
  }

  /// Starts the program in namespaces of its own, and returns once `execve` has succeeded.
  ///
  /// It is process 1 of its PID namespace, as in any container, and can neither see nor signal
  /// init. Init's ends of the streams stay open where this throws.
  ///
  /// - Returns: its pid.
  static func start(
    _ process: WorkloadProcess, _ streams: Streams, _ surroundings: Surroundings
  ) throws(InitError) -> Int32 {
    let (report, pid) = try step(.environment, "process") { () throws(SystemError) in
      let report = try System.pipe()
      // Later children of init are born in the namespace that the first one got.
      if case .new = surroundings { try System.call(unshare(CLONE_NEWPID)) }
      return (report, try System.call(fork()))
    }
    if pid == 0 {
      let error = becomeWorkload(process, streams, surroundings)
      _ = try? System.write(report.writing, [error.failure.rawValue] + error.detail.utf8, from: 0)
      _exit(1)
    }
    System.close(report.writing)
    streams.closeWorkloadEnds()
    // The pipe closes without a byte when execve succeeds.
    let bytes = (try? System.read(report.reading, 2048)) ?? []
    System.close(report.reading)
    if let first = bytes.first {
      throw InitError(GuestFailure(rawValue: first) ?? .environment, "\(bytes.dropFirst())")
    }
    return pid
  }

  private static func becomeWorkload(
    _ process: WorkloadProcess, _ streams: Streams, _ surroundings: Surroundings
  ) -> InitError {
    do {
      switch surroundings {
      case .new(let isRootReadOnly):
        try attempt(.environment, "mount namespace", System.call(unshare(CLONE_NEWNS)))
        try ContainerEnvironment.makeProc(isRootReadOnly: isRootReadOnly)
      case .workload:
        try attempt(.environment, "mount namespace", System.joinMounts(of: 1))
      }
      try attempt(.environment, "signals", System.unblockSignals())
      for (target, end) in [streams.input, streams.output, streams.error].enumerated() {
        let isThere = end.workload == target
        try attempt(
          .environment, "standard streams",
          System.call(
            isThere ? arca_fcntl(end.workload, F_SETFD, 0) : dup2(end.workload, Int32(target))))
      }
      try attempt(.environment, "descriptors", System.closeOnExecute(from: 3))
      if streams.isTerminal {
        try attempt(.environment, "terminal", System.takeTerminal())
      }
      try attempt(.process, "bounding set", System.bound(to: process.capabilities))
      try attempt(.process, "capabilities", System.call(arca_prctl(PR_SET_KEEPCAPS, 1, 0)))
      // What engines give a container of whose processes and open files nothing is said.
      for resource in [RLIMIT_NPROC, RLIMIT_NOFILE] {
        try attempt(.process, "limits", System.setLimit(resource, soft: 1 << 20, hard: 1 << 20))
      }
      try assume(process)
      try attempt(
        .process, "capabilities",
        System.setCapabilities(process.capabilities, ambient: process.ambientCapabilities))
      if process.noNewPrivileges {
        try attempt(.process, "no_new_privs", System.call(arca_prctl(PR_SET_NO_NEW_PRIVS, 1, 0)))
      }
      return Command.execute(process)
    } catch {
      return error
    }
  }

  /// Gives this process the limits, user, folder and mask of `process`.
  static func assume(_ process: WorkloadProcess) throws(InitError) {
    for limit in process.rlimits {
      try attempt(
        .process, "limit \(limit.resource)",
        System.setLimit(Int32(limit.resource), soft: limit.soft, hard: limit.hard))
    }
    try attempt(
      .process, "user and groups",
      System.setIdentity(uid: process.uid, gid: process.gid, groups: process.additionalGids))
    umask(process.umask)
    try attempt(.process, process.cwd, System.changeFolder(process.cwd))
  }
}

/// Finds the program as a shell would, and executes it.
enum Command {
  private static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// Returns only where the program could not be executed.
  static func execute(_ process: WorkloadProcess) -> InitError {
    let program = process.args[0]
    var found = SystemError(errno: ENOENT)
    for path in candidates(program, process.env) {
      do throws(SystemError) {
        try System.execute(path, process.args, process.env)
      } catch {
        let isAbsent = error.errno == ENOENT || error.errno == ENOTDIR
        if !isAbsent { found = error }
        if !isAbsent, error.errno != EACCES { break }
      }
    }
    switch found.errno {
    case ENOENT: return found.named(.commandNotFound, program)
    case EIO: return found.named(.corruption, program)
    default: return found.named(.commandNotExecutable, program)
    }
  }

  private static func candidates(_ program: Text, _ env: [Text]) -> [Text] {
    if program.utf8.contains(UInt8(ascii: "/")) { return [program] }
    let path = env.last { $0.utf8.starts(ascii: "PATH=") }?.utf8.dropFirst(5)
    return (path ?? defaultPath.utf8[...]).split(
      separator: UInt8(ascii: ":"), omittingEmptySubsequences: false
    ).map {
      $0.isEmpty ? "./\(program)" : "\($0)/\(program)"
    }
  }
}
