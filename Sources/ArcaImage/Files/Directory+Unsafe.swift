import Glibc

/// Folders of the store.
enum Directory {
  /// Creates `path` and what is above it, for the owner alone; an existing folder is no error.
  static func create(_ path: String) throws(ImageError) {
    // SAFETY: mkdir copies the NUL-terminated path and keeps no pointer.
    if unsafe mkdir(path, 0o700) == 0 || Glibc.errno == EEXIST { return }
    guard Glibc.errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
      throw .system("create the folder", path)
    }
    try create(String(path[..<slash]))
    // SAFETY: as above.
    guard unsafe mkdir(path, 0o700) == 0 || Glibc.errno == EEXIST else {
      throw .system("create the folder", path)
    }
  }

  /// Whether there is anything at `path`.
  static func exists(_ path: String) -> Bool { type(of: path) != nil }

  /// Whether `path` is a folder or a link to one.
  static func isFolder(_ path: String) -> Bool { type(of: path) == S_IFDIR }

  private static func type(of path: String) -> mode_t? {
    var status = stat()
    // SAFETY: stat fills the structure that it is given and keeps no pointer.
    return unsafe stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

  /// The names in `path`, sorted; none where it is not there.
  static func names(_ path: String) throws(ImageError) -> [String] {
    // SAFETY: the stream is used in this function alone and closed at its end.
    guard let stream = unsafe opendir(path) else {
      if Glibc.errno == ENOENT { return [] }
      throw .system("list", path)
    }
    // SAFETY: as above.
    defer { unsafe _ = closedir(stream) }
    var names: [String] = []
    // A list that ends early would have prune remove what it does not see.
    Glibc.errno = 0
    // SAFETY: readdir's entry is valid until the next call; its name is copied before that.
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
      Glibc.errno = 0
    }
    guard Glibc.errno == 0 else { throw .system("list", path) }
    return names.sorted()
  }

  /// Removes `path` with all that is in it, without following links; absence is no error.
  static func remove(_ path: String) throws(ImageError) {
    // SAFETY: unlink, rmdir copy the NUL-terminated path and keep no pointer.
    if unsafe unlink(path) == 0 || Glibc.errno == ENOENT { return }
    guard Glibc.errno == EISDIR || Glibc.errno == EPERM else { throw .system("remove", path) }
    for name in try names(path) { try remove("\(path)/\(name)") }
    guard unsafe rmdir(path) == 0 || Glibc.errno == ENOENT else { throw .system("remove", path) }
  }

  /// Moves `from` to `to` and makes that survive a crash of the machine.
  static func publish(_ from: String, as to: String) throws(ImageError) {
    // SAFETY: rename copies the NUL-terminated paths and keeps no pointer.
    guard unsafe rename(from, to) == 0 else { throw .system("put in place", to) }
    try sync(to.lastIndex(of: "/").map { String(to[..<$0]) } ?? ".")
  }

  /// Makes the names in the folder `path` survive a crash of the machine.
  static func sync(_ path: String) throws(ImageError) {
    try DataFile.reading(path).sync()
  }
}
