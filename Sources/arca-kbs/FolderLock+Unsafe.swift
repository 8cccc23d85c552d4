import Foundation

/// Who works on a folder's embedded store: many at a time, or one that replaces it.
enum FolderLock {
  /// Takes the lock file at `path` until the process ends.
  static func hold(_ path: String, exclusively: Bool) throws {
    // SAFETY: the path is a string that lives through the call.
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw CommandError("\(path): cannot be opened (\(errno))") }
    guard flock(descriptor, (exclusively ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 else {
      close(descriptor)
      throw CommandError(
        exclusively
          ? "\(path): the store is in use; stop the broker and every command that works on it"
          : "\(path): the store is being restored; try again when that is done")
    }
  }

  /// Puts the names in `folder` on disk.
  static func synchronize(folder: String) throws {
    // SAFETY: the path is a string that lives through the call.
    let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw CommandError("\(folder): cannot be opened (\(errno))") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw CommandError("\(folder): fsync fails (\(errno))") }
  }
}
