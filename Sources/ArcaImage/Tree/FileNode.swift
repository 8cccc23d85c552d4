/// A file, folder, link or device of the merged root file system; hard links share one node.
package final class FileNode {
  /// Where a part of a file's content is.
  package struct Extent {
    /// Where in the file the bytes belong.
    package var fileOffset: UInt64
    /// The source that has them.
    package var source: any ByteSource
    /// Where in the source they are.
    package var sourceOffset: UInt64
    /// How many bytes.
    package var byteCount: UInt64
  }

  /// What the node is.
  package enum Content {
    /// What no extent covers is zero.
    case file(byteCount: UInt64, extents: [Extent])
    case directory([[UInt8]: FileNode])
    case symbolicLink([UInt8])
    case characterDevice(major: UInt32, minor: UInt32)
    case blockDevice(major: UInt32, minor: UInt32)
    case fifo
  }

  package var content: Content
  package var permissions: UInt16
  package var uid: UInt32
  package var gid: UInt32
  /// Whole seconds since 1970.
  ///
  /// Kept for regular files alone, since programs compare it there
  /// (Python's bytecode caches); 0 elsewhere, where engines change it on their own.
  package var modified: Int64
  /// Extended attributes by full name.
  package var attributes: [[UInt8]: [UInt8]]

  package init(
    _ content: Content, permissions: UInt16, uid: UInt32 = 0, gid: UInt32 = 0, modified: Int64 = 0,
    attributes: [[UInt8]: [UInt8]] = [:]
  ) {
    self.content = content
    self.permissions = permissions
    self.uid = uid
    self.gid = gid
    if case .file = content { self.modified = modified } else { self.modified = 0 }
    self.attributes = attributes.filter { Self.keeps($0.key) }
  }

  /// An empty folder as it is made where no layer describes it.
  package static func emptyDirectory() -> FileNode {
    FileNode(.directory([:]), permissions: 0o755)
  }

  /// The children, or nil where this is no folder.
  package var children: [[UInt8]: FileNode]? {
    if case .directory(let children) = content { return children }
    return nil
  }

  /// Sets or, with nil, removes the child `name` of this folder.
  package func setChild(_ name: [UInt8], _ node: FileNode?) {
    guard case .directory(var children) = content else { return }
    content = .directory([:])
    children[name] = node
    content = .directory(children)
  }

  /// What a host's security modules put on every file that is unpacked there.
  private static let hostLabels = ["security.selinux", "security.ima", "security.evm"].map {
    Array($0.utf8)
  }

  /// Attributes of other kinds have no meaning on Linux, or would be read by the overlay file
  /// system that the guest puts over the image.
  private static func keeps(_ name: [UInt8]) -> Bool {
    if name.starts(with: Array("trusted.overlay.".utf8))
      || name.starts(with: Array("user.overlay.".utf8))
      || hostLabels.contains(name)
    {
      return false
    }
    return ErofsAttributes.prefix(of: name) != nil
  }
}
