import ArcaManifest
import ArcaTEE
import CArcaHost
import Glibc

/// The system's words for an `errno`.
func systemReason(_ number: Int32) -> String {
  // SAFETY: strerror returns a NUL-terminated string, copied at once.
  unsafe String(cString: strerror(number))
}

/// Size, time and identity of a file, links followed; nil where there is none.
func fileStatus(_ path: String) -> (size: Int64, modifiedNanoseconds: Int64, inode: UInt64)? {
  var status = stat()
  // SAFETY: stat writes one structure; the string lives through the call.
  guard unsafe stat(path, &status) == 0 else { return nil }
  let time = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
  return (Int64(status.st_size), time, UInt64(status.st_ino))
}

/// The numbers of the character device at `path`; nil where there is none.
func deviceNumber(_ path: String) -> (major: Int64, minor: Int64)? {
  var status = stat()
  // SAFETY: stat writes one structure; the string lives through the call.
  guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFCHR else { return nil }
  let number = UInt64(status.st_rdev)
  // As glibc's gnu_dev_major and gnu_dev_minor take it apart.
  return (
    Int64(number >> 8 & 0xfff | number >> 32 & ~0xfff), Int64(number & 0xff | number >> 12 & ~0xff)
  )
}

/// The limit of this process for `resource`, which has the kernel's number.
func ownLimit(_ resource: UInt8) -> ResourceLimit {
  var limit = rlimit()
  // SAFETY: getrlimit writes one structure, and only fails for names that there are not.
  unsafe getrlimit(Int32(resource), &limit)
  return ResourceLimit(
    resource: resource, soft: UInt64(limit.rlim_cur), hard: UInt64(limit.rlim_max))
}

/// Whether `path` is a folder, links followed; nil where there is nothing.
func isFolder(_ path: String) -> Bool? {
  var status = stat()
  // SAFETY: stat writes one structure; the string lives through the call.
  guard unsafe stat(path, &status) == 0 else { return nil }
  return status.st_mode & S_IFMT == S_IFDIR
}

/// Whether the open file `descriptor` is still what stands at `path`.
func isSameFile(_ descriptor: Int32, _ path: String) -> Bool {
  var open = stat()
  var named = stat()
  // SAFETY: both calls write one structure each.
  guard unsafe fstat(descriptor, &open) == 0, unsafe stat(path, &named) == 0 else { return false }
  return open.st_ino == named.st_ino && open.st_dev == named.st_dev
}

/// Whether a process has locked bytes of the file, as QEMU does with a disk that it has open.
func hasByteLocks(_ path: String) -> Bool {
  guard let descriptor = try? System.open(path, O_RDWR) else { return false }
  defer { close(descriptor) }
  var lock = flock()
  lock.l_type = Int16(F_WRLCK)
  // SAFETY: fcntl reads and writes one structure; a length of 0 is up to the file's end and past.
  return unsafe fcntl(descriptor, F_GETLK, &lock) == 0 && lock.l_type != Int16(F_UNLCK)
}

/// Makes a folder and those above it.
func makeFolder(_ path: String, mode: mode_t = 0o700) throws(RuntimeError) {
  var partial = ""
  for part in path.split(separator: "/") {
    partial += "/" + part
    // SAFETY: the string lives through the call.
    guard unsafe mkdir(partial, mode) == 0 || errno == EEXIST else {
      throw RuntimeError(.state, "\(partial): cannot be made: \(systemReason(errno))")
    }
  }
}

/// Removes an empty folder, where there is one.
func removeEmptyFolder(_ path: String) {
  // SAFETY: the string lives through the call.
  _ = unsafe rmdir(path)
}

/// Renames a file or folder.
func renameFile(_ from: String, _ to: String) throws(RuntimeError) {
  // SAFETY: both strings live through the call.
  guard unsafe rename(from, to) == 0 else {
    throw RuntimeError(.state, "\(from): cannot be renamed to \(to): \(systemReason(errno))")
  }
}

/// Opens the file `path` and locks it; nil where another has it locked and `wait` is false.
func tryLockFile(_ path: String, wait: Bool = false) throws(RuntimeError) -> Int32? {
  let descriptor: Int32
  do {
    descriptor = try System.open(path, O_RDWR | O_CREAT)
  } catch {
    throw RuntimeError(error)
  }
  guard arca_lock(descriptor, wait ? 1 : 0) == 0 else {
    close(descriptor)
    return nil
  }
  return descriptor
}

/// Opens the file `path` and waits for its lock; the caller closes it.
func lockFile(_ path: String) throws(RuntimeError) -> Int32 {
  guard let descriptor = try tryLockFile(path, wait: true) else {
    throw RuntimeError(.state, "\(path): cannot be locked")
  }
  return descriptor
}

/// Puts on disk what was written to the file system that `path` is on.
func synchronizeFileSystem(of path: String) throws(RuntimeError) {
  let descriptor: Int32
  do {
    descriptor = try System.open(path)
  } catch {
    throw RuntimeError(error)
  }
  defer { close(descriptor) }
  let result = arca_sync_file_system(descriptor)
  guard result == 0 else {
    throw RuntimeError(.state, "\(path): cannot be written to disk: \(systemReason(-result))")
  }
}

/// Runs a program to its end and returns its standard output.
func runTool(_ arguments: [String], flags: Int = 0) throws(RuntimeError) -> String {
  do {
    let (ours, theirs) = try System.socketPair()
    defer { close(ours) }
    let pid: Int32
    do {
      defer { close(theirs) }
      pid = try System.spawn(
        arguments, environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"],
        descriptors: [-1, theirs, theirs], flags: flags)
    }
    var output: [UInt8] = []
    var chunk: [UInt8] = []
    reading: while true {
      switch try System.read(ours, into: &chunk, max: 1 << 16) {
      case .bytes: output += chunk
      case .end: break reading
      case .wouldBlock:
        var waits = [pollfd(fd: ours, events: Int16(POLLIN), revents: 0)]
        try System.poll(&waits, timeoutMilliseconds: -1)
      }
    }
    let text = printable(output)
    let status = System.reap(pid, wait: true) ?? 0
    guard status == 0 else {
      throw RuntimeError(
        .state, "\(arguments.joined(separator: " ")): exit status \(status): \(text)")
    }
    return String(decoding: output, as: UTF8.self)
  } catch let error as TEEError {
    throw RuntimeError(error)
  } catch let error as RuntimeError {
    throw error
  } catch {
    throw RuntimeError(.state, "\(error)")
  }
}

/// Whether this process may use what is at `path` so (`F_OK`, `R_OK`, `W_OK`, `X_OK`).
func isAccessible(_ path: String, _ mode: Int32) -> Bool {
  // SAFETY: the string lives through the call.
  unsafe access(path, mode) == 0
}

/// Removes a file, where there is one.
func removeFile(_ path: String) {
  // SAFETY: the string lives through the call.
  _ = unsafe unlink(path)
}

/// Makes a new file of `bytes` that takes up no storage yet, and makes that survive a crash.
func makeSparseFile(_ path: String, bytes: Int64) throws(RuntimeError) {
  // SAFETY: the string lives through the call.
  let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
  guard descriptor >= 0, ftruncate(descriptor, off_t(bytes)) == 0, fsync(descriptor) == 0 else {
    let reason = systemReason(errno)
    if descriptor >= 0 { close(descriptor) }
    throw RuntimeError(.state, "\(path): cannot be made: \(reason)")
  }
  close(descriptor)
}

/// The size of a file and the storage that it takes up, bytes; nil where there is none.
func diskSize(_ path: String) -> (apparent: UInt64, used: UInt64)? {
  var status = stat()
  // SAFETY: stat writes one structure; the string lives through the call.
  guard unsafe stat(path, &status) == 0 else { return nil }
  return (UInt64(status.st_size), UInt64(status.st_blocks) * 512)
}
