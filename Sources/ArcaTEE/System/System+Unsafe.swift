import CArcaHost
import Glibc

/// The system calls that Arca's host programs make, without pointers and with typed errors.
package enum System {
  /// What a call did, where it may also find nothing to do.
  package enum Transfer: Sendable {
    /// So many bytes went over.
    case bytes(Int)
    /// The descriptor is not ready.
    case wouldBlock
    /// The other end has gone, or the file has ended.
    case end
  }

  /// Reads at most `count` bytes into `buffer`, replacing what it held.
  package static func read(
    _ descriptor: Int32, into buffer: inout [UInt8], max count: Int
  ) throws(TEEError) -> Transfer {
    let (result, failure) = readOnce(descriptor, into: &buffer, max: count)
    if result > 0 { return .bytes(result) }
    // A terminal whose other end has gone answers with EIO.
    if result == 0 || failure == EIO || failure == ECONNRESET { return .end }
    if failure == EAGAIN { return .wouldBlock }
    throw TEEError(.system, "read", systemError: failure)
  }

  private static func readOnce(
    _ descriptor: Int32, into buffer: inout [UInt8], max count: Int
  ) -> (Int, Int32) {
    var result = 0
    var failure: Int32 = 0
    // SAFETY: the pointer is used only inside the closure, for at most its capacity of bytes.
    buffer = unsafe [UInt8](unsafeUninitializedCapacity: count) { space, initialized in
      repeat {
        result = unsafe Glibc.read(descriptor, space.baseAddress, count)
        failure = result < 0 ? errno : 0
      } while failure == EINTR
      initialized = max(0, result)
    }
    return (result, failure)
  }

  /// Writes at most `count` bytes of `bytes` from `start` on.
  package static func write(
    _ descriptor: Int32, _ bytes: [UInt8], from start: Int, max count: Int
  ) throws(TEEError) -> Transfer {
    let (result, failure) = writeOnce(descriptor, bytes, from: start, max: count)
    if result >= 0 { return .bytes(result) }
    if failure == EAGAIN { return .wouldBlock }
    if failure == EPIPE || failure == ECONNRESET || failure == EIO { return .end }
    throw TEEError(.system, "write", systemError: failure)
  }

  private static func writeOnce(
    _ descriptor: Int32, _ bytes: [UInt8], from start: Int, max count: Int
  ) -> (Int, Int32) {
    var result = 0
    var failure: Int32 = 0
    let length = min(count, bytes.count - start)
    guard start >= 0, length > 0 else { return (0, 0) }
    // SAFETY: start and length were just bounded by the array's count.
    unsafe bytes.withUnsafeBytes { space in
      repeat {
        result = unsafe Glibc.write(descriptor, space.baseAddress?.advanced(by: start), length)
        failure = result < 0 ? errno : 0
      } while failure == EINTR
    }
    return (result, failure)
  }

  /// Writes all of `bytes` to a blocking descriptor.
  package static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) throws(TEEError) {
    var start = 0
    while start < bytes.count {
      guard case .bytes(let count) = try write(descriptor, bytes, from: start, max: .max) else {
        throw TEEError(.system, "write", systemError: EPIPE)
      }
      start += count
    }
  }

  /// Reads at most `count` bytes of a line into `buffer`, with the descriptor passed along, or -1.
  package static func receive(
    _ line: Int32, into buffer: inout [UInt8], max count: Int
  ) throws(TEEError) -> (Transfer, passed: Int32) {
    var passed: Int32 = -1
    var result = 0
    // SAFETY: the call writes at most `count` bytes and says how many.
    buffer = unsafe [UInt8](unsafeUninitializedCapacity: count) { space, initialized in
      result = unsafe arca_receive(line, space.baseAddress, count, &passed)
      initialized = max(0, result)
    }
    if result > 0 { return (.bytes(result), passed) }
    if result == 0 || result == -Int(ECONNRESET) { return (.end, passed) }
    if result == -Int(EAGAIN) { return (.wouldBlock, passed) }
    throw TEEError(.system, "recvmsg", systemError: Int32(-result))
  }

  /// Connects to `endpoint` by a thread of its own, which then sends the answer over `line`: see
  /// `arca_connect_and_pass`.
  package static func connect(_ endpoint: BrokerEndpoint, answeringOver line: Int32) {
    // SAFETY: the call copies the NUL-terminated string.
    _ = unsafe arca_connect_and_pass(line, endpoint.host, endpoint.port)
  }

  /// Waits until a descriptor is ready, a timeout (milliseconds, -1 for none) or a signal.
  package static func poll(
    _ descriptors: inout [pollfd], timeoutMilliseconds: Int32
  ) throws(TEEError) {
    let count = nfds_t(descriptors.count)
    // SAFETY: poll reads and writes exactly `count` elements of the array.
    let result = unsafe Glibc.poll(&descriptors, count, timeoutMilliseconds)
    guard result >= 0 || errno == EINTR else {
      throw TEEError(.system, "poll", systemError: errno)
    }
  }

  /// Whether the other end of a socket has gone.
  package static func hasHungUp(_ descriptor: Int32) -> Bool {
    var waits = [pollfd(fd: descriptor, events: 0, revents: 0)]
    return (try? poll(&waits, timeoutMilliseconds: 0)) == nil
      || waits[0].revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
  }

  /// A connected pair of stream sockets, both close-on-exec; the first one does not block.
  package static func socketPair() throws(TEEError) -> (Int32, Int32) {
    var pair: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    // SAFETY: socketpair writes two descriptors into the array of two.
    guard unsafe Glibc.socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
      throw TEEError(.system, "socketpair", systemError: errno)
    }
    setNonBlocking(pair[0])
    return (pair[0], pair[1])
  }

  /// Makes the open file description of `descriptor` non-blocking.
  package static func setNonBlocking(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
  }

  /// Opens `path` with `flags`; always close-on-exec.
  package static func open(
    _ path: String, _ flags: Int32 = O_RDONLY, mode: mode_t = 0o600
  ) throws(TEEError) -> Int32 {
    // SAFETY: the string is passed as a NUL-terminated copy that lives through the call.
    let descriptor = unsafe Glibc.open(path, flags | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw TEEError(.system, "open \(path)", systemError: errno) }
    return descriptor
  }

  /// The contents of the file `path`, refused where it has more than `max` bytes.
  package static func contents(_ path: String, max bound: Int) throws(TEEError) -> [UInt8] {
    let descriptor = try open(path)
    defer { close(descriptor) }
    var all: [UInt8] = []
    var chunk: [UInt8] = []
    while true {
      // Half of a file is none: an input/output error is no end here.
      let (result, failure) = readOnce(descriptor, into: &chunk, max: 1 << 20)
      guard result >= 0 else { throw TEEError(.system, "read \(path)", systemError: failure) }
      if result == 0 { return all }
      all.append(contentsOf: chunk)
      guard all.count <= bound else {
        throw TEEError(.description, "\(path) has more than \(bound) bytes")
      }
    }
  }

  /// Replaces the file `path` by one with `bytes`, at once: a reader sees the old or the new one,
  /// and where that fails, only the old one is there.
  package static func replace(
    _ path: String, with bytes: [UInt8], mode: mode_t = 0o644
  ) throws(TEEError) {
    let temporary = path + ".new"
    let descriptor = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
    defer { close(descriptor) }
    do throws(TEEError) {
      var start = 0
      while start < bytes.count {
        let (result, failure) = writeOnce(descriptor, bytes, from: start, max: .max)
        guard result >= 0 else { throw TEEError(.system, "write \(path)", systemError: failure) }
        start += result
      }
      // SAFETY: both strings are passed as NUL-terminated copies that live through the call.
      guard unsafe rename(temporary, path) == 0 else {
        throw TEEError(.system, "rename to \(path)", systemError: errno)
      }
    } catch {
      // SAFETY: as above.
      _ = unsafe unlink(temporary)
      throw error
    }
  }

  /// Runs a program; see `arca_spawn` for what its descriptors and flags mean.
  package static func spawn(
    _ arguments: [String], environment: [String], descriptors: [Int32], flags: Int,
    root: String? = nil
  ) throws(TEEError) -> Int32 {
    guard let path = arguments.first else {
      throw TEEError(.system, "spawn", systemError: EINVAL)
    }
    // SAFETY: both vectors are NULL-terminated arrays of strings that live until they are freed.
    var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
    var envp = unsafe environment.map { unsafe strdup($0) } + [nil]
    let pid = unsafe arca_spawn(
      path, &argv, &envp, descriptors, Int32(descriptors.count), Int32(flags), root)
    unsafe (argv + envp).forEach { unsafe free($0) }
    guard pid > 0 else { throw TEEError(.system, "cannot run \(path)", systemError: -pid) }
    return pid
  }

  /// How a process ended: its exit status, or 128 + n for signal n; nil while it runs.
  package static func reap(_ pid: Int32, wait: Bool = false) -> Int32? {
    var status: Int32 = 0
    var result: Int32
    repeat {
      // SAFETY: waitpid writes one integer.
      result = unsafe waitpid(pid, &status, wait ? 0 : WNOHANG)
    } while result < 0 && errno == EINTR
    guard result == pid else { return result < 0 ? 255 : nil }
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
  }

  /// Reaps one child, whichever has ended: its process id and how it ended, as ``reap(_:wait:)``
  /// says it.
  package static func reapAny() -> (pid: Int32, status: Int32)? {
    var status: Int32 = 0
    // SAFETY: waitpid writes one integer.
    let pid = unsafe waitpid(-1, &status, WNOHANG)
    return pid > 0
      ? (pid, status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)) : nil
  }

  /// The monotonic clock, in microseconds; the same on both sides of a container's wall.
  package static var monotonicMicroseconds: UInt64 {
    var time = timespec()
    // SAFETY: clock_gettime writes one timespec.
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
  }

  /// The names in the folder `path`, or none where it cannot be read.
  package static func names(in path: String) -> [String] {
    // SAFETY: the stream is used between opendir and closedir only; d_name is NUL-terminated.
    guard let folder = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        unsafe tuple.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}

/// A terminal whose settings are put back.
package struct Terminal: Sendable {
  private let descriptor: Int32
  private let saved: [UInt8]

  /// Remembers the settings of `descriptor`, or is nil where that is no terminal.
  package init?(_ descriptor: Int32) {
    var saved = [UInt8](repeating: 0, count: Int(arca_termios_bytes()))
    // SAFETY: the array has the arca_termios_bytes() that the call writes.
    guard unsafe arca_terminal_save(descriptor, &saved) == 0 else { return nil }
    self.descriptor = descriptor
    self.saved = saved
  }

  /// Passes every byte on as it is, both ways.
  package func makeRaw() {
    var scratch = saved
    // SAFETY: as in the initialiser.
    _ = unsafe arca_terminal_raw(descriptor, &scratch)
  }

  /// Puts the remembered settings back.
  package func restore() {
    // SAFETY: the array has the arca_termios_bytes() that the call reads.
    _ = unsafe arca_terminal_restore(descriptor, saved)
  }

  /// Rows and columns now.
  package var size: (rows: UInt16, columns: UInt16)? {
    let value = arca_terminal_size(descriptor)
    guard value >= 0 else { return nil }
    return (UInt16(truncatingIfNeeded: value >> 16), UInt16(truncatingIfNeeded: value))
  }
}
