import ArcaBytes
import CArcaGuest
import TEEEvidence

/// System calls with Swift's types: each throws the errno.
enum System {
  /// The result of a call, which a signal may have to have repeated.
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

  // MARK: - Files

  static func mount(
    _ source: Text, _ target: Text, _ type: Text, _ flags: Int32, _ data: Text = ""
  ) throws(SystemError) {
    // SAFETY: the C strings live through the call.
    try call(
      unsafe CArcaGuest.mount(
        source.cString, target.cString, type.cString, UInt(UInt32(bitPattern: flags)),
        data.cString))
  }

  static func unmount(_ target: Text) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe umount2(target.cString, MNT_DETACH))
  }

  static func open(
    _ path: Text, _ flags: Int32, mode: UInt32 = 0
  ) throws(SystemError) -> Int32 {
    // SAFETY: the C string lives through the call.
    try call(unsafe arca_open(path.cString, flags | O_CLOEXEC, mode))
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

  static func makeFolder(_ path: Text, mode: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe mkdir(path.cString, mode))
  }

  // SAFETY: the C string lives through the call.
  static func removeFolder(_ path: Text) throws(SystemError) {
    try call(unsafe rmdir(path.cString))
  }

  /// Makes a character device; its numbers are below 256.
  static func makeDevice(_ path: Text, major: UInt, minor: UInt) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe mknod(path.cString, UInt32(S_IFCHR) | 0o666, major << 8 | minor))
  }

  static func link(_ path: Text, to target: Text) throws(SystemError) {
    // SAFETY: the C strings live through the call.
    try call(unsafe symlink(target.cString, path.cString))
  }

  static func unlink(_ path: Text) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe CArcaGuest.unlink(path.cString))
  }

  static func changeOwner(_ path: Text, uid: UInt32, gid: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe chown(path.cString, uid, gid))
  }

  static func changeMode(_ path: Text, _ mode: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe chmod(path.cString, mode))
  }

  // SAFETY: the C string lives through the call.
  static func changeRoot(_ path: Text) throws(SystemError) { try call(unsafe chroot(path.cString)) }

  // SAFETY: the C string lives through the call.
  static func changeFolder(_ path: Text) throws(SystemError) {
    try call(unsafe chdir(path.cString))
  }

  static func status(_ path: Text) throws(SystemError) -> stat {
    var status = stat()
    // SAFETY: the C string and the place live through the call.
    try call(unsafe stat(path.cString, &status))
    return status
  }

  static func isFolder(_ path: Text) throws(SystemError) -> Bool {
    Int32(bitPattern: try status(path).st_mode) & S_IFMT == S_IFDIR
  }

  /// The names in a folder, those that start with a dot left out.
  static func list(_ path: Text) throws(SystemError) -> [Text] {
    var names: [Text] = []
    let fd = try open(path, O_RDONLY | O_DIRECTORY)
    // SAFETY: the folder owns the descriptor; an entry is read before the next one takes its place.
    guard let folder = unsafe fdopendir(fd) else { throw SystemError(errno: ENOMEM) }
    defer { unsafe closedir(folder) }
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
        unsafe Array($0.prefix { $0 != 0 })
      }
      if name.first != UInt8(ascii: ".") { names.append("\(name)") }
    }
    return names
  }

  // MARK: - The kernel

  static func loadModule(_ path: Text, isPacked: Bool) throws(SystemError) {
    let fd = try open(path, O_RDONLY)
    defer { close(fd) }
    // linux/module.h, MODULE_INIT_COMPRESSED_FILE: the kernel unpacks the file itself.
    let flags = isPacked ? 4 : 0
    // SAFETY: the C string, no parameters, lives through the call.
    try call(
      unsafe ("" as Text).cString.withUnsafeBufferPointer {
        arca_syscall(Int(SYS_finit_module), Int(fd), Int(bitPattern: $0.baseAddress), flags)
      })
  }

  /// A variable of this process's own environment.
  static func environment(_ name: Text) -> [UInt8]? {
    // SAFETY: nobody changes the environment, whose strings end in NUL.
    unsafe getenv(name.cString).map {
      unsafe Array(UnsafeRawBufferPointer(start: $0, count: strlen($0)))
    }
  }

  static func setHostname(_ name: Text) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try call(unsafe sethostname(name.cString, name.utf8.count))
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
    var request = reportData + [UInt8](repeating: 0, count: TDReportStructure.byteCount)
    let fd = try open("/dev/tdx_guest", O_RDWR)
    defer { close(fd) }
    // linux/tdx-guest.h, TDX_CMD_GET_REPORT0: _IOWR('T', 1, struct tdx_report_req).
    // SAFETY: the request has 64 bytes that the call reads, and 1024 that it fills.
    try call(unsafe arca_ioctl(fd, 0xc440_5401, &request))
    return Array(request.dropFirst(64))
  }

  // MARK: - Processes and descriptors

  /// A descriptor from which ends of children can be read; signals by broken pipes are blocked too.
  static func openChildSignals() throws(SystemError) -> Int32 {
    var set = sigset_t()
    // SAFETY: the set lives through the calls.
    unsafe sigaddset(&set, SIGCHLD)
    unsafe sigaddset(&set, SIGPIPE)
    try call(unsafe sigprocmask(SIG_BLOCK, &set, nil))
    return try call(unsafe signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK))
  }

  static func unblockSignals() throws(SystemError) {
    var none = sigset_t()
    // SAFETY: the set lives through the call.
    try call(unsafe sigprocmask(SIG_SETMASK, &none, nil))
  }

  /// Enters the mount namespace of process `pid`, at its root.
  static func joinMounts(of pid: Int) throws(SystemError) {
    let fd = Int32(truncatingIfNeeded: try call(arca_syscall(Int(SYS_pidfd_open), pid, 0, 0)))
    defer { close(fd) }
    try call(setns(fd, CLONE_NEWNS))
  }

  static func dontBlock(_ fd: Int32) throws(SystemError) {
    try call(arca_fcntl(fd, F_SETFL, O_NONBLOCK))
  }

  /// Marks all from `first` on to be closed by `execve`, not earlier: the pipe that reports its
  /// failure is one of them.
  static func closeOnExecute(from first: Int) throws(SystemError) {
    try call(arca_syscall(Int(SYS_close_range), first, Int(UInt32.max), 1 << 2))
  }

  /// A socket that is bound to `address`, a structure of the kernel's, or connects to it.
  private static func socket(
    _ kind: Int32, _ line: Int32 = 0, at address: [UInt8], connects: Bool = false
  ) throws(SystemError) -> Int32 {
    let fd = try call(CArcaGuest.socket(Int32(address[0]), kind | SOCK_CLOEXEC, line))
    // SAFETY: the calls read the array's bytes, and it lives through them.
    try call(
      unsafe address.withUnsafeBytes {
        let place = unsafe $0.baseAddress?.assumingMemoryBound(to: sockaddr.self)
        let count = socklen_t($0.count)
        return unsafe connects
          ? CArcaGuest.connect(fd, place, count) : bind(fd, place, count)
      })
    return fd
  }

  /// The kernel's events (struct sockaddr_nl, group 1).
  static func openUevents() throws(SystemError) -> Int32 {
    let address = [UInt32(AF_NETLINK), 0, 1].flatMap { $0.littleEndianBytes }
    return try socket(SOCK_RAW | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT, at: address)
  }

  /// Takes all events that wait.
  static func takeUevents(_ fd: Int32) {
    while (try? read(fd, 1)) != nil {}
  }

  /// Listens on 127.0.0.1, for few connections at a time.
  static func listen(port: UInt16) throws(SystemError) -> Int32 {
    let fd = try socket(SOCK_STREAM | SOCK_NONBLOCK, at: address([127, 0, 0, 1], port))
    try call(CArcaGuest.listen(fd, 8))
    return fd
  }

  static func connect(port: UInt16) throws(SystemError) -> Int32 {
    try socket(SOCK_STREAM, at: address([127, 0, 0, 1], port), connects: true)
  }

  /// An IPv4 address and a port (struct sockaddr_in).
  static func address(_ host: [UInt8], _ port: UInt16) -> [UInt8] {
    UInt16(AF_INET).littleEndianBytes + port.bigEndian.littleEndianBytes + host
      + [UInt8](repeating: 0, count: 8)
  }

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
  ) throws(SystemError) -> (ends: Streams.Ends, path: Text) {
    var (unlocked, number): (Int32, Int32) = (0, 0)
    let terminal = try open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)
    let flags = unsafe UnsafeMutableRawPointer(bitPattern: Int(O_RDWR | O_NOCTTY | O_CLOEXEC))
    // SAFETY: both places live through the calls; the last takes its argument by value.
    try call(unsafe arca_ioctl(terminal, UInt(TIOCSPTLCK), &unlocked))
    try call(unsafe arca_ioctl(terminal, UInt(TIOCGPTN), &number))
    let workload = try call(unsafe arca_ioctl(terminal, UInt(TIOCGPTPEER), flags))
    try call(fchown(workload, uid, .max))
    return ((terminal, workload), "/dev/pts/\(number)")
  }

  static func resizeTerminal(_ fd: Int32, rows: UInt16, columns: UInt16) throws(SystemError) {
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    // SAFETY: the place lives through the call.
    try call(unsafe arca_ioctl(fd, UInt(TIOCSWINSZ), &size))
  }

  /// Makes standard input the terminal of a session of this process's own.
  static func takeTerminal() throws(SystemError) {
    try call(setsid())
    try call(arca_ioctl(0, UInt(TIOCSCTTY), nil))
  }

  static func growExt4(_ path: Text, blocks: UInt64) throws(SystemError) {
    let fd = try open(path, O_RDONLY | O_DIRECTORY)
    defer { close(fd) }
    var blocks = blocks
    // linux/fs/ext4/ext4.h, EXT4_IOC_RESIZE_FS: _IOW('f', 16, uint64_t).
    // SAFETY: the place lives through the call.
    try call(unsafe arca_ioctl(fd, 0x4008_6610, &blocks))
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

  /// Leaves `capabilities` alone in the bounding set.
  static func bound(to capabilities: UInt64) throws(SystemError) {
    for number in 0..<UInt(64) where arca_prctl(PR_CAPBSET_READ, number, 0) >= 0 {
      if capabilities >> number & 1 == 0 { try call(arca_prctl(PR_CAPBSET_DROP, number, 0)) }
    }
  }

  /// Gives this process `capabilities`, of which it keeps `ambient` through `execve`.
  static func setCapabilities(_ capabilities: UInt64, ambient: UInt64) throws(SystemError) {
    var header = [UInt32(_LINUX_CAPABILITY_VERSION_3), 0]
    // Each half's effective, permitted and inheritable ones.
    var sets = [UInt64(0), 32].flatMap { half in
      [capabilities, capabilities, ambient].map { UInt32(truncatingIfNeeded: $0 >> half) }
    }
    // What is not inheritable does not stay ambient either.
    // SAFETY: both arrays have what the version says, and live through the call.
    try call(unsafe capset(&header, &sets))
    for number in 0..<UInt(64) where ambient >> number & 1 == 1 {
      try call(arca_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_RAISE), number))
    }
  }

  /// Replaces this process; returns only where that failed.
  static func execute(
    _ path: Text, _ arguments: [Text], _ environment: [Text]
  ) throws(SystemError) {
    // SAFETY: the copies are never freed, and the pointers to them live through the call.
    let argv = unsafe arguments.map { unsafe strdup($0.cString) } + [nil]
    let envp = unsafe environment.map { unsafe strdup($0.cString) } + [nil]
    try call(unsafe execve(path.cString, argv, envp))
  }
}
