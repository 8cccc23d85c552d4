import CArcaGuest

extension System {
  static func pipe() throws(SystemError) -> (reading: Int32, writing: Int32) {
    var reading: Int32 = -1
    var writing: Int32 = -1
    // SAFETY: both places live through the call.
    _ = try check(unsafe arca_pipe(&reading, &writing))
    return (reading, writing)
  }

  /// A connected pair of sockets, neither of which blocks.
  static func socketPair() throws(SystemError) -> (Int32, Int32) {
    var (one, other): (Int32, Int32) = (-1, -1)
    // SAFETY: both places live through the call.
    _ = try check(unsafe arca_socket_pair(&one, &other))
    return (one, other)
  }

  /// Waits for any of `items`; a negative timeout waits for ever.
  static func poll(_ items: inout [arca_poll], timeoutMilliseconds: Int32) throws(SystemError) {
    let count = items.count
    // SAFETY: the array holds `count` items and lives through the call.
    _ = try check(unsafe arca_poll(&items, count, timeoutMilliseconds))
  }

  /// Reaps one child: its pid and its status (0…255, or 128 + a signal); nil when none has ended.
  static func reap() -> (pid: Int32, status: UInt8)? {
    var status: Int32 = 0
    // SAFETY: the place lives through the call.
    let pid = unsafe arca_wait(&status)
    return pid > 0 ? (pid, UInt8(truncatingIfNeeded: status)) : nil
  }

  /// A new terminal that belongs to `uid`, and its path.
  static func openTerminal(
    uid: UInt32
  ) throws(SystemError) -> (ends: Streams.Ends, path: String) {
    var terminal: Int32 = -1
    var workload: Int32 = -1
    var number: Int32 = 0
    // SAFETY: the three places live through the call.
    _ = try check(unsafe arca_terminal_open(uid, &terminal, &workload, &number))
    return (Streams.Ends(ours: terminal, workload: workload), "/dev/pts/\(number)")
  }

  static func setIdentity(uid: UInt32, gid: UInt32, groups: [UInt32]) throws(SystemError) {
    // SAFETY: the array lives through the call.
    _ = try check(unsafe arca_identity(uid, gid, groups, groups.count))
  }

  /// Replaces this process; returns the errno of its failure.
  static func execute(_ path: String, _ arguments: [String], _ environment: [String]) -> Int32 {
    let (argv, envp) = (cStrings(arguments), cStrings(environment))
    // SAFETY: both blobs end in NUL where they are not empty, and live through the call.
    return 0 &- (unsafe arca_execute(path, argv, argv.count, envp, envp.count))
  }

  private static func cStrings(_ strings: [String]) -> [CChar] {
    var blob: [CChar] = []
    for string in strings {
      for byte in string.utf8 { blob.append(CChar(bitPattern: byte)) }
      blob.append(0)
    }
    return blob
  }
}
