import ArcaBytes
import Crypto
import Glibc

/// A root file system that an engine hands in as a folder, read as the tree that its layers give.
struct FolderTree {
  /// The root, as ``LayerMerge`` would have merged it.
  let root: FileNode
  /// A digest of all names and of what the file system says of each; contents are not read.
  ///
  /// Whatever changes a file or its metadata changes its time of change, so an equal fingerprint
  /// means an equal tree.
  let fingerprint: [UInt8]

  private struct Identity: Hashable {
    let device: UInt64
    let inode: UInt64
  }

  /// Reads the folder `path`.
  init(_ path: String, limits: ImageLimits) throws(ImageError) {
    var walk = Walk(entriesLeft: limits.entriesMax)
    root = try walk.node(path, [])
    guard root.children != nil else {
      throw ImageError(.notFound, "\(path): expected a folder with the root file system")
    }
    fingerprint = Array(walk.hash.finalize())
  }

  /// Reads one file of a layer's folder.
  static func file(_ path: String) throws(ImageError) -> FileNode {
    var walk = Walk(entriesLeft: 1)
    return try walk.node(path, [])
  }

  private struct Walk {
    var entriesLeft: Int
    var hash = SHA256()
    private var linked: [Identity: FileNode] = [:]

    init(entriesLeft: Int) { self.entriesLeft = entriesLeft }

    mutating func node(_ path: String, _ relative: [UInt8]) throws(ImageError) -> FileNode {
      entriesLeft -= 1
      guard entriesLeft >= 0 else {
        throw ImageError(.limitExceeded, "\(path): the folder has too many entries")
      }
      let status = try FileMetadata(path)
      note(status, relative)
      let identity = Identity(device: status.device, inode: status.inode)
      if status.type != S_IFDIR, status.linkCount > 1, let known = linked[identity] {
        return known
      }
      let node = FileNode(
        try content(path, relative, status), permissions: UInt16(status.mode & 0o7777),
        uid: status.uid, gid: status.gid, modified: status.modifiedSeconds,
        attributes: try FileMetadata.attributes(path))
      if status.type == S_IFLNK { node.permissions = 0o777 }
      if status.type != S_IFDIR, status.linkCount > 1 { linked[identity] = node }
      return node
    }

    private mutating func note(_ status: FileMetadata, _ path: [UInt8]) {
      var writer = ByteWriter(capacity: 96)
      writer.append(path)
      writer.u8(0)
      for number in [
        UInt64(status.mode), UInt64(status.uid), UInt64(status.gid), status.byteCount,
        UInt64(bitPattern: status.modifiedSeconds), UInt64(bitPattern: status.changedNanoseconds),
        status.device, status.inode, UInt64(status.deviceMajor), UInt64(status.deviceMinor),
      ] {
        writer.u32(UInt32(truncatingIfNeeded: number))
        writer.u32(UInt32(truncatingIfNeeded: number >> 32))
      }
      hash.update(data: writer.bytes)
    }

    private mutating func content(
      _ path: String, _ relative: [UInt8], _ status: FileMetadata
    ) throws(ImageError) -> FileNode.Content {
      switch status.type {
      case S_IFREG:
        let source = FilePath(name: path, byteCount: status.byteCount)
        let whole = FileNode.Extent(
          fileOffset: 0, source: source, sourceOffset: 0, byteCount: status.byteCount)
        return .file(
          byteCount: status.byteCount, extents: status.byteCount == 0 ? [] : [whole])
      case S_IFDIR:
        var children: [[UInt8]: FileNode] = [:]
        if !EngineFiles.emptied.contains(relative) {
          for name in try Directory.names(path) {
            let bytes = Array(name.utf8)
            children[bytes] = try node("\(path)/\(name)", relative + [UInt8(ascii: "/")] + bytes)
          }
        }
        return .directory(children)
      case S_IFLNK: return .symbolicLink(try FileMetadata.linkTarget(path))
      case S_IFCHR:
        return .characterDevice(major: status.deviceMajor, minor: status.deviceMinor)
      case S_IFBLK: return .blockDevice(major: status.deviceMajor, minor: status.deviceMinor)
      case S_IFIFO: return .fifo
      default: throw ImageError(.unsupported, "\(path): a socket cannot be in an image")
      }
    }
  }
}
