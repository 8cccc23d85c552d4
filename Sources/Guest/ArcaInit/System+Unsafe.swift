import CArcaGuest

/// System calls with Swift's types: each throws the errno.
enum System {
  /// The result of a call of the C library, which a signal may have to have repeated.
  @discardableResult
  static func call<Result: SignedInteger>(
    _ body: @autoclosure () -> Result
  ) throws(SystemError) -> Result {
    while true {
      let result = body()
      if result >= 0 { return result }
      // SAFETY: the place of this thread's errno is always there; nothing has changed it since.
      let errno = unsafe __errno_location().pointee
      if errno != EINTR { throw SystemError(errno: errno) }
    }
  }

  /// The result of a call of CArcaGuest's own, which is the negated errno where it failed.
  @discardableResult
  static func check(_ result: Int32) throws(SystemError) -> Int32 {
    guard result >= 0 else { throw SystemError(errno: 0 &- result) }
    return result
  }

  // MARK: - Files

  static func mount(
    _ source: String, _ target: String, _ type: String, _ flags: Int32, _ data: String = ""
  ) throws(SystemError) {
    // SAFETY: the C strings live through the call.
    try call(unsafe CArcaGuest.mount(source, target, type, UInt(UInt32(bitPattern: flags)), data))
  }

  static func unmount(_ target: String) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe umount2(target, MNT_DETACH))
  }

  static func open(
    _ path: String, _ flags: Int32, mode: UInt32 = 0
  ) throws(SystemError) -> Int32 {
    // SAFETY: the C string lives through the call.
    try call(unsafe arca_open(path, flags | O_CLOEXEC, mode))
  }

  static func close(_ fd: Int32) { _ = CArcaGuest.close(fd) }

  /// At most `count` bytes; empty at the end of the file.
  static func read(_ fd: Int32, _ count: Int) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // SAFETY: the call writes at most `count` bytes and says how many.
    bytes.removeLast(count - (try call(unsafe CArcaGuest.read(fd, &bytes, count))))
    return bytes
  }

  /// Writes from `start` on; how many bytes were taken.
  static func write(_ fd: Int32, _ bytes: [UInt8], from start: Int) throws(SystemError) -> Int {
    let rest = bytes[start...]
    return try call(
      unsafe rest.withUnsafeBufferPointer {
        // SAFETY: the call reads the buffer's bytes.
        unsafe CArcaGuest.write(fd, $0.baseAddress, $0.count)
      })
  }

  static func makeFolder(_ path: String, mode: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe mkdir(path, mode))
  }

  // SAFETY: the C string lives through the call.
  static func removeFolder(_ path: String) throws(SystemError) { try call(unsafe rmdir(path)) }

  static func makeDevice(_ path: String, major: UInt32, minor: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe mknod(path, UInt32(S_IFCHR) | 0o666, arca_device(major, minor)))
  }

  static func link(_ path: String, to target: String) throws(SystemError) {
    // SAFETY: the C strings live through the call.
    try call(unsafe symlink(target, path))
  }

  static func unlink(_ path: String) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe CArcaGuest.unlink(path))
  }

  static func changeOwner(_ path: String, uid: UInt32, gid: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe chown(path, uid, gid))
  }

  static func changeMode(_ path: String, _ mode: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe chmod(path, mode))
  }

  // SAFETY: the C string lives through the call.
  static func changeRoot(_ path: String) throws(SystemError) { try call(unsafe chroot(path)) }

  // SAFETY: the C string lives through the call.
  static func changeFolder(_ path: String) throws(SystemError) { try call(unsafe chdir(path)) }

  static func status(_ path: String) throws(SystemError) -> stat {
    var status = stat()
    // SAFETY: the C string and the place live through the call.
    try call(unsafe stat(path, &status))
    return status
  }

  static func isFolder(_ path: String) throws(SystemError) -> Bool {
    Int32(bitPattern: try status(path).st_mode) & S_IFMT == S_IFDIR
  }

  /// The names in a folder, those that start with a dot left out.
  static func list(_ path: String) throws(SystemError) -> [[UInt8]] {
    var bytes = [UInt8](repeating: 0, count: 4096)
    // SAFETY: the call writes at most so many bytes and says how many.
    let count = try check(unsafe arca_list(path, &bytes, 4096))
    return bytes.prefix(Int(count)).split(separator: 0).map { Array($0) }
  }

  // MARK: - The kernel

  static func loadModule(_ path: String, isPacked: Bool) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try check(unsafe arca_load_module(path, isPacked ? 1 : 0))
  }

  /// A variable of this process's own environment; empty where there is none.
  static func environment(_ name: String) -> [UInt8] {
    // SAFETY: nobody changes the environment, whose strings end in NUL.
    guard let value = unsafe getenv(name) else { return [] }
    return Array(unsafe String(cString: value).utf8)
  }

  static func setHostname(_ name: String) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe sethostname(name, name.utf8.count))
  }

  static func random(_ count: Int) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // SAFETY: the call writes at most `count` bytes, and all of them where it is at most 256.
    guard try call(unsafe getrandom(&bytes, count, 0)) == count else {
      throw SystemError(errno: EIO)
    }
    return bytes
  }

  /// The TDX module's report over 64 bytes.
  static func trustDomainReport(_ reportData: [UInt8]) throws(SystemError) -> [UInt8] {
    guard reportData.count == 64 else { throw SystemError(errno: EIO) }
    var report = [UInt8](repeating: 0, count: 1024)
    // SAFETY: the call reads 64 bytes, and fills 1024 or fails.
    try check(unsafe arca_trust_domain_report(reportData, &report))
    return report
  }

  // MARK: - Processes and descriptors

  static func pipe() throws(SystemError) -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [-1, -1]
    // SAFETY: the call writes both.
    try call(unsafe pipe2(&ends, O_CLOEXEC))
    return (ends[0], ends[1])
  }

  /// A connected pair of sockets, neither of which blocks.
  static func socketPair() throws(SystemError) -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    // SAFETY: the call writes both.
    try call(unsafe socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, &ends))
    return (ends[0], ends[1])
  }

  /// Waits for any of `items`; a negative timeout waits for ever.
  static func poll(_ items: inout [pollfd], timeoutMilliseconds: Int32) throws(SystemError) {
    let count = items.count
    // SAFETY: the array holds `count` items and lives through the call.
    try call(unsafe CArcaGuest.poll(&items, nfds_t(count), timeoutMilliseconds))
  }

  /// Waits for `events` of one descriptor; what has happened, 0 where the time was over first.
  static func wait(
    _ fd: Int32, _ events: Int32, timeoutMilliseconds: Int32
  ) throws(SystemError) -> Int32 {
    var items = [pollfd(fd: fd, events: Int16(events), revents: 0)]
    try poll(&items, timeoutMilliseconds: timeoutMilliseconds)
    return Int32(items[0].revents)
  }

  /// Reaps one child: its pid and its status (0…255, or 128 + a signal); nil when none has ended.
  static func reap() -> (pid: Int32, status: UInt8)? {
    var status: Int32 = 0
    // SAFETY: the place lives through the call.
    let pid = unsafe waitpid(-1, &status, WNOHANG)
    let signal = status & 0x7f
    let ended = signal == 0 ? status >> 8 : 128 + signal
    return pid > 0 ? (pid, UInt8(truncatingIfNeeded: ended)) : nil
  }

  /// A new terminal that belongs to `uid`, and its path.
  static func openTerminal(
    uid: UInt32
  ) throws(SystemError) -> (ends: Streams.Ends, path: String) {
    var (terminal, workload, number): (Int32, Int32, Int32) = (-1, -1, 0)
    // SAFETY: the three places live through the call.
    try check(unsafe arca_terminal_open(uid, &terminal, &workload, &number))
    return (Streams.Ends(ours: terminal, workload: workload), "/dev/pts/\(number)")
  }

  static func setLimit(_ resource: Int32, soft: UInt64, hard: UInt64) throws(SystemError) {
    var limit = rlimit(rlim_cur: soft, rlim_max: hard)
    // SAFETY: the place lives through the call.
    try call(unsafe setrlimit(resource, &limit))
  }

  /// With the right to do so this sets real, effective and saved ids alike, and Gramine has it.
  static func setIdentity(uid: UInt32, gid: UInt32, groups: [UInt32]) throws(SystemError) {
    // SAFETY: the array lives through the call.
    try call(unsafe setgroups(groups.count, groups))
    try call(setgid(gid))
    try call(setuid(uid))
  }

  /// Replaces this process; returns only where that failed.
  static func execute(
    _ path: String, _ arguments: [String], _ environment: [String]
  ) throws(SystemError) {
    // SAFETY: the copies are never freed, and the pointers to them live through the call.
    let argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
    let envp = unsafe environment.map { unsafe strdup($0) } + [nil]
    try call(unsafe execve(path, argv, envp))
  }
}
