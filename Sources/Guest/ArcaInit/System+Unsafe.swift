import CArcaGuest

/// System calls with Swift's types: each throws the errno.
enum System {
  static func mount(
    _ source: String, _ target: String, _ type: String, _ flags: Int, _ data: String = ""
  ) throws(SystemError) {
    // SAFETY: the C strings live through the call.
    _ = try check(unsafe arca_mount(source, target, type, UInt(bitPattern: flags), data))
  }

  static func unmount(_ target: String) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_umount(target))
  }

  static func openForReading(_ path: String) throws(SystemError) -> Int32 {
    // SAFETY: the C string lives through the call.
    try check(unsafe arca_open_read(path))
  }

  static func openPort(_ path: String) throws(SystemError) -> Int32 {
    // SAFETY: the C string lives through the call.
    try check(unsafe arca_open_port(path))
  }

  /// Opens the file for writing, made where it does not exist.
  static func create(_ path: String, mode: UInt32) throws(SystemError) -> Int32 {
    // SAFETY: the C string lives through the call.
    try check(unsafe arca_create(path, mode))
  }

  static func close(_ fd: Int32) {
    _ = arca_close(fd)
  }

  /// At most `count` bytes; empty at the end of the file.
  static func read(_ fd: Int32, _ count: Int) throws(SystemError) -> [UInt8] {
    var result = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      // SAFETY: the call writes at most `count` bytes and says how many.
      if let base = buffer.baseAddress { result = unsafe arca_read(fd, base, count) }
      initialized = max(0, result)
    }
    guard result >= 0 else { throw SystemError(errno: Int32(-result)) }
    return bytes
  }

  /// Writes from `start` on; how many bytes were taken.
  static func write(_ fd: Int32, _ bytes: [UInt8], from start: Int) throws(SystemError) -> Int {
    let result = unsafe bytes.withUnsafeBufferPointer { buffer in
      // SAFETY: `start` is within the buffer, and the call reads to its end at most.
      guard start < buffer.count, let base = buffer.baseAddress else { return 0 }
      return unsafe arca_write(fd, base + start, buffer.count - start)
    }
    guard result >= 0 else { throw SystemError(errno: Int32(-result)) }
    return result
  }

  static func makeFolder(_ path: String, mode: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_mkdir(path, mode))
  }

  static func removeFolder(_ path: String) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_rmdir(path))
  }

  static func makeDevice(_ path: String, major: UInt32, minor: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_mknod_char(path, 0o666, major, minor))
  }

  static func link(_ path: String, to target: String) throws(SystemError) {
    // SAFETY: the C strings live through the call.
    _ = try check(unsafe arca_symlink(target, path))
  }

  static func unlink(_ path: String) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_unlink(path))
  }

  static func changeOwner(_ path: String, uid: UInt32, gid: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_chown(path, uid, gid))
  }

  static func changeMode(_ path: String, _ mode: UInt32) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_chmod(path, mode))
  }

  static func changeRoot(_ path: String) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_chroot(path))
  }

  static func changeFolder(_ path: String) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_chdir(path))
  }

  static func isFolder(_ path: String) throws(SystemError) -> Bool {
    // SAFETY: the C string lives through the call.
    try check(unsafe arca_is_folder(path)) == 1
  }

  static func copyOwnerAndMode(from source: String, to target: String) throws(SystemError) {
    // SAFETY: the C strings live through the call.
    _ = try check(unsafe arca_copy_owner_and_mode(source, target))
  }

  /// The names in a folder, those that start with a dot left out.
  static func list(_ path: String) throws(SystemError) -> [[UInt8]] {
    var result = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, initialized in
      // SAFETY: the call writes at most the capacity and says how many.
      if let base = buffer.baseAddress { result = unsafe arca_list(path, base, 4096) }
      initialized = max(0, result)
    }
    guard result >= 0 else { throw SystemError(errno: Int32(-result)) }
    return bytes.split(separator: 0).map { Array($0) }
  }

  static func loadModule(_ path: String, isPacked: Bool) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_load_module(path, isPacked ? 1 : 0))
  }

  /// A variable of this process's own environment; empty where there is none.
  static func environment(_ name: String) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
      // SAFETY: the call writes at most the buffer's size, and says how much.
      count = unsafe arca_environment(name, buffer.baseAddress, buffer.count)
    }
  }

  static func openUevents() throws(SystemError) -> Int32 { try check(arca_uevents_open()) }

  /// Takes one uevent of the kernel; false when none waits.
  static func takeUevent(_ fd: Int32) -> Bool { arca_uevent_take(fd) == 1 }

  static func setHostname(_ name: String) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    _ = try check(unsafe arca_set_hostname(name, name.utf8.count))
  }

  static func raiseLoopback() throws(SystemError) {
    _ = try check(arca_loopback_up())
  }

  static func random(_ count: Int) throws(SystemError) -> [UInt8] {
    var result: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      // SAFETY: the call fills `count` bytes or fails.
      if let base = buffer.baseAddress { result = unsafe arca_random(base, count) }
      initialized = result == 0 ? count : 0
    }
    _ = try check(result)
    return bytes
  }

  /// The TDX module's report over 64 bytes.
  static func trustDomainReport(_ reportData: [UInt8]) throws(SystemError) -> [UInt8] {
    guard reportData.count == 64 else { throw SystemError(errno: SystemError.io) }
    var result: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 1024) { buffer, initialized in
      // SAFETY: the call reads 64 bytes, and fills 1024 or fails.
      if let base = buffer.baseAddress {
        result = unsafe arca_trust_domain_report(reportData, base)
      }
      initialized = result == 0 ? 1024 : 0
    }
    _ = try check(result)
    return bytes
  }

  static func check(_ result: Int32) throws(SystemError) -> Int32 {
    guard result >= 0 else { throw SystemError(errno: 0 &- result) }
    return result
  }
}
