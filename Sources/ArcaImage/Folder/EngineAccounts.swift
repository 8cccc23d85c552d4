import Foundation
import Glibc

/// The user that podman adds to a container's account files where the image does not know it.
///
/// It writes a line at the end of `/etc/passwd` and `/etc/group` in the overlay's upper folder. The
/// layers have the files as the image's owner knows them.
package struct EngineAccounts {
  private static let names = ["/etc/passwd", "/etc/group"]
  private static let bytesMax: UInt64 = 4 << 20

  /// The files with nothing but such a line added, each with the layer's file beneath it.
  package let layersFiles: [String: String]

  /// Compares the files in the folder `upper` with those in `lower`, of which the first counts.
  package init(upper: String, lower: [String]) {
    var found: [String: String] = [:]
    for name in Self.names {
      guard let changed = Self.content(upper + name),
        let below = lower.map({ $0 + name }).first(where: Directory.exists),
        let own = Self.content(below), Self.isAdded(changed, to: own, in: name)
      else { continue }
      found[name] = below
    }
    layersFiles = found
  }

  /// Puts the layers' files into the tree under `root`.
  package func restore(in root: FileNode) throws(ImageError) {
    for (name, file) in layersFiles {
      let parts = name.split(separator: "/").map { Array($0.utf8) }
      root.children?[parts[0]]?.setChild(parts[1], try FolderTree.file(file))
    }
  }

  /// Whether `changed` is `own` and one line of podman's.
  package static func isAdded(_ changed: [UInt8], to own: [UInt8], in name: String) -> Bool {
    guard changed.starts(with: own) else { return false }
    let line = String(decoding: changed.dropFirst(own.count), as: UTF8.self)
    let parts = line.split(separator: "\n", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].isEmpty else { return false }
    let fields = parts[0].split(separator: ":", omittingEmptySubsequences: false)
    guard let id = fields.first, UInt32(id) != nil, fields.count > 2, fields[2] == id else {
      return false
    }
    return name == names[0]
      ? fields.count == 7 && fields[1] == "*" && fields[4] == "container user"
      : fields.count == 4 && fields[1] == "x"
  }

  private static func content(_ path: String) -> [UInt8]? {
    guard let status = try? FileMetadata(path), status.type == S_IFREG,
      status.byteCount <= bytesMax, let data = FileManager.default.contents(atPath: path)
    else { return nil }
    return Array(data)
  }
}
