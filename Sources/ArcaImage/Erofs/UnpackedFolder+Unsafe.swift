import Glibc

/// A folder into which a root file system is unpacked.
///
/// Nothing in it is followed: each entry is made anew beneath folders that were made before it, so
/// a name that occurs twice is an error.
package struct UnpackedFolder {
  private let base: String

  /// Unpacks into `base`, a new folder.
  package init(_ base: String) { self.base = base }

  func makeFolder(_ path: String) throws(ImageError) {
    try check(unsafe mkdir(base + path, 0o700), path)
  }

  func makeFile(_ path: String) throws(ImageError) -> DataFile {
    try DataFile.creating(base + path)
  }

  func makeLink(_ path: String, _ target: [UInt8]) throws(ImageError) {
    let text = String(decoding: target, as: UTF8.self)
    guard text.utf8.elementsEqual(target), !target.contains(0) else {
      throw ImageError(.malformed, "\(path): a link to what is no UTF-8 cannot be unpacked")
    }
    try check(unsafe symlink(text, base + path), path)
  }

  func link(_ path: String, to first: String) throws(ImageError) {
    try check(unsafe Glibc.link(base + first, base + path), path)
  }

  func setAttributes(
    _ path: String, mode: UInt16, uid: UInt32, gid: UInt32, modified: UInt64
  ) throws(ImageError) {
    try check(unsafe lchown(base + path, uid, gid), path)
    if mode & 0o170000 != 0o120000 {
      try check(unsafe chmod(base + path, mode_t(mode & 0o7777)), path)
    }
    let time = timespec(tv_sec: Int(truncatingIfNeeded: modified), tv_nsec: 0)
    let times = [time, time]
    // SAFETY: the array holds the two times that the call reads.
    try check(unsafe utimensat(AT_FDCWD, base + path, times, AT_SYMLINK_NOFOLLOW), path)
  }

  private func check(_ result: Int32, _ path: String) throws(ImageError) {
    guard result == 0 else { throw .system("unpack", base + path) }
  }
}
