import CArcaHost
import Glibc

/// What the file system says about a name, links not followed.
struct FileMetadata {
  let mode: UInt32
  let uid: UInt32
  let gid: UInt32
  let byteCount: UInt64
  let modifiedSeconds: Int64
  /// Changes with every change of the file or of what is said of it.
  let changedNanoseconds: Int64
  let device: UInt64
  let inode: UInt64
  let linkCount: UInt64
  let deviceMajor: UInt32
  let deviceMinor: UInt32

  var type: mode_t { mode_t(mode) & S_IFMT }

  init(_ path: String) throws(ImageError) {
    var status = stat()
    // SAFETY: lstat fills the structure that it is given and keeps no pointer.
    guard unsafe lstat(path, &status) == 0 else { throw .system("examine", path) }
    mode = status.st_mode
    uid = status.st_uid
    gid = status.st_gid
    byteCount = UInt64(status.st_size)
    modifiedSeconds = Int64(status.st_mtim.tv_sec)
    changedNanoseconds =
      Int64(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_ctim.tv_nsec)
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    linkCount = UInt64(status.st_nlink)
    let number = UInt64(status.st_rdev)
    deviceMajor = UInt32(truncatingIfNeeded: number >> 8 & 0xfff | number >> 32 & 0xffff_f000)
    deviceMinor = UInt32(truncatingIfNeeded: number & 0xff | number >> 12 & 0xffff_ff00)
  }

  /// The bytes of a symbolic link.
  static func linkTarget(_ path: String) throws(ImageError) -> [UInt8] {
    // SAFETY: the path lives through the call.
    try unsafe bytes("read the link", path) { unsafe arca_link_target(path, $0, $1) }
  }

  /// The extended attributes, links not followed.
  static func attributes(_ path: String) throws(ImageError) -> [[UInt8]: [UInt8]] {
    let action = "read the attributes of"
    // SAFETY: the path lives through the call.
    let list = try unsafe bytes(action, path) { unsafe arca_attribute_names(path, $0, $1) }
    var found: [[UInt8]: [UInt8]] = [:]
    for name in list.split(separator: 0) {
      let text = String(decoding: name, as: UTF8.self)
      // SAFETY: both texts live through the call.
      found[Array(name)] = try unsafe bytes(action, path) {
        unsafe arca_attribute(path, text, $0, $1)
      }
    }
    return found
  }

  private static func bytes(
    _ action: String, _ path: String, _ call: (UnsafeMutablePointer<UInt8>, Int) -> Int
  ) throws(ImageError) -> [UInt8] {
    var result = 0
    // SAFETY: the call writes at most the capacity, the kernel's bound of 64 KiB, and says how much
    // it wrote.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 16) { space, initialized in
      if let base = space.baseAddress { result = unsafe call(base, 1 << 16) }
      initialized = max(0, result)
    }
    if result < 0, -result != Int(ENOTSUP), -result != Int(ENODATA) {
      Glibc.errno = Int32(-result)
      throw .system(action, path)
    }
    return bytes
  }
}

/// A regular file that is opened for each read, since a tree has more files than may be open.
struct FilePath: ByteSource {
  let name: String
  let byteCount: UInt64

  func read(at offset: UInt64, count: Int) throws(ImageError) -> [UInt8] {
    // SAFETY: open copies the NUL-terminated path and keeps no pointer.
    let descriptor = unsafe open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("open", name) }
    return try DataFile(descriptor: descriptor, name: name).read(at: offset, count: count)
  }
}
