import Glibc

/// An advisory lock on a file or folder (flock), held until the last reference goes or the process
/// ends, however it ends.
public final class FileLock: Sendable {
  /// The descriptor that holds the lock.
  ///
  /// A child process that inherits a duplicate of it goes on
  /// holding the lock after this process has ended.
  public let descriptor: Int32

  private init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// How a lock is taken.
  package enum Mode: Sendable {
    case shared
    case exclusive

    fileprivate var operation: Int32 { self == .shared ? LOCK_SH : LOCK_EX }
  }

  /// Waits for the lock on the file `path`, which is created empty where it is not there.
  package static func wait(_ mode: Mode, _ path: String) throws(ImageError) -> FileLock {
    guard let lock = try opened(path, O_RDWR | O_CREAT) else {
      throw ImageError(.notFound, "cannot create the lock \(path): its folder is not there")
    }
    try lock.wait(mode, path)
    return lock
  }

  /// Waits for the shared lock on the existing folder `path`; nil where it is not there.
  package static func hold(_ path: String) throws(ImageError) -> FileLock? {
    guard let lock = try opened(path, O_RDONLY) else { return nil }
    try lock.wait(.shared, path)
    return lock
  }

  /// The lock on the existing file or folder `path`; nil where another holds it or it is not there.
  package static func attempt(_ mode: Mode, _ path: String) throws(ImageError) -> FileLock? {
    guard let lock = try opened(path, O_RDONLY) else { return nil }
    if flock(lock.descriptor, mode.operation | LOCK_NB) == 0 { return lock }
    guard Glibc.errno == EWOULDBLOCK else { throw .system("lock", path) }
    return nil
  }

  private static func opened(_ path: String, _ flags: Int32) throws(ImageError) -> FileLock? {
    // SAFETY: open copies the NUL-terminated path and keeps no pointer.
    let descriptor = unsafe open(path, flags | O_CLOEXEC, 0o600)
    if descriptor >= 0 { return FileLock(descriptor: descriptor) }
    if Glibc.errno == ENOENT { return nil }
    throw .system("open the lock", path)
  }

  private func wait(_ mode: Mode, _ path: String) throws(ImageError) {
    while flock(descriptor, mode.operation) != 0 {
      guard Glibc.errno == EINTR else { throw .system("lock", path) }
    }
  }
}
