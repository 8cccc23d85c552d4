/// What engines put into a root file system that they hand to a runtime.
///
/// Each engine makes its own choice of these, so every tree, whether merged from layers or read
/// from a folder, is brought to one form: then the same image has the same bytes on either way.
enum EngineFiles {
  /// Folders whose contents belong to the running container.
  static let emptied = paths(["/dev", "/proc", "/sys"])
  /// Files that the host writes at each start, where the manifest lets it.
  static let hostWritten = paths(["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"])
  /// Marks of an engine.
  static let marks = paths(["/.dockerenv", "/run/.containerenv"])
  private static let mountTable = (folder: "etc", name: "mtab", target: "/proc/mounts")

  private static func paths(_ texts: [String]) -> [[UInt8]] { texts.map { Array($0.utf8) } }

  /// Whether `path` is something that an engine adds.
  static func isAdded(_ path: [UInt8]) -> Bool {
    path == Array("/etc/mtab".utf8) || hostWritten.contains(path) || marks.contains(path)
      || emptied.contains { path == $0 || path.starts(with: $0 + [UInt8(ascii: "/")]) }
  }

  /// Brings the tree under `root` to the form that all ways lead to.
  static func normalise(_ root: FileNode) {
    root.permissions = 0o755
    root.uid = 0
    root.gid = 0
    root.attributes = [:]
    for path in marks {
      let parts = path.dropFirst().split(separator: UInt8(ascii: "/")).map(Array.init)
      if let folder = folder(parts.dropLast(), in: root), let name = parts.last {
        folder.setChild(name, nil)
      }
    }
    for path in emptied { root.setChild(Array(path.dropFirst()), .emptyDirectory()) }
    let etc = Array(mountTable.folder.utf8)
    if root.children?[etc] == nil { root.setChild(etc, .emptyDirectory()) }
    guard let folder = folder([etc], in: root) else { return }
    for path in hostWritten {
      folder.setChild(
        Array(path.dropFirst(etc.count + 2)),
        FileNode(.file(byteCount: 0, extents: []), permissions: 0o644))
    }
    let name = Array(mountTable.name.utf8)
    if folder.children?[name] == nil {
      folder.setChild(
        name, FileNode(.symbolicLink(Array(mountTable.target.utf8)), permissions: 0o777))
    }
  }

  private static func folder(_ parts: some Sequence<[UInt8]>, in root: FileNode) -> FileNode? {
    var node = root
    for part in parts {
      guard let next = node.children?[part], next.children != nil else { return nil }
      node = next
    }
    return node
  }
}
