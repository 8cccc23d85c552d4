/// Builds the root file system that a stack of layers describes
/// (OCI image-spec 1.1, layer.md, "Applying Changesets").
///
/// Nothing is written anywhere: names that would leave the root or pass through a link are refused
/// while they are still only names.
package struct LayerMerge {
  private static let whiteoutPrefix = Array(".wh.".utf8)
  private static let opaqueMarker = Array(".wh..wh..opq".utf8)
  private static let nameBytesMax = 255
  private static let pathBytesMax = 4095

  /// The root folder as merged so far.
  package let root = FileNode.emptyDirectory()
  private var entriesLeft: Int
  private let limits: ImageLimits

  package init(limits: ImageLimits = ImageLimits()) {
    self.limits = limits
    entriesLeft = limits.entriesMax
  }

  /// Puts the layer that `source` holds over what is there; `label` names it in errors.
  package mutating func apply<Source: ByteSource>(_ source: Source, label: String)
    throws(ImageError)
  {
    var reader = TarReader(source, label: label, limits: limits)
    var additions: [(path: [[UInt8]], entry: TarEntry)] = []
    // A whiteout concerns lower layers only, wherever it stands in its layer: all go first.
    while let entry = try reader.next() {
      entriesLeft -= 1
      guard entriesLeft >= 0 else {
        throw ImageError(
          .limitExceeded, "\(label): the image has more than \(limits.entriesMax) entries")
      }
      let path = try Self.components(of: entry.path, label: label)
      if let name = path.last, name.starts(with: Self.whiteoutPrefix) {
        try whiteOut(path, label)
      } else {
        additions.append((path, entry))
      }
    }
    for (path, entry) in additions { try add(path, entry, source, label) }
  }

  /// The parts of `path`; `.` and empty parts are dropped.
  static func components(of path: [UInt8], label: String) throws(ImageError) -> [[UInt8]] {
    func refuse(_ why: String) -> ImageError {
      ImageError(.unsafePath, "\(label): entry \(path.printable) \(why)")
    }
    if path.first == UInt8(ascii: "/") { throw refuse("has an absolute path") }
    if path.contains(0) { throw refuse("has a NUL byte in its path") }
    if path.count > pathBytesMax { throw refuse("has a path of more than \(pathBytesMax) bytes") }
    var parts: [[UInt8]] = []
    for part in path.split(separator: UInt8(ascii: "/")) where part != [UInt8(ascii: ".")] {
      if part.elementsEqual("..".utf8) { throw refuse("has '..' in its path") }
      if part.count > nameBytesMax { throw refuse("has a name of more than 255 bytes") }
      parts.append(Array(part))
    }
    return parts
  }

  private func whiteOut(_ path: [[UInt8]], _ label: String) throws(ImageError) {
    guard let marker = path.last else { return }
    let name = Array(marker.dropFirst(Self.whiteoutPrefix.count))
    guard !name.isEmpty, !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) else {
      throw ImageError(
        .unsafePath,
        "\(label): entry \(path.joined(separator: "/".utf8).printable) "
          + "is a whiteout of no usable name")
    }
    var parent = root
    for name in path.dropLast() {
      guard let next = parent.children?[name], next.children != nil else { return }
      parent = next
    }
    if marker == Self.opaqueMarker {
      parent.content = .directory([:])
    } else if !name.starts(with: Self.whiteoutPrefix) {
      // `.wh..wh.…` other than the opaque marker is bookkeeping of aufs.
      parent.setChild(name, nil)
    }
  }

  private func add(
    _ path: [[UInt8]], _ entry: TarEntry, _ source: any ByteSource, _ label: String
  ) throws(ImageError) {
    guard let name = path.last else {
      guard entry.kind == .directory else {
        throw ImageError(.unsafePath, "\(label): the root is not a folder")
      }
      update(root, entry)
      return
    }
    let parent = try parent(of: path, entry, label)
    if entry.kind == .directory, let existing = parent.children?[name], existing.children != nil {
      update(existing, entry)
    } else if entry.kind == .hardLink {
      parent.setChild(name, try linkTarget(entry, label))
    } else {
      parent.setChild(name, try node(entry, source, label))
    }
  }

  /// The folder that `path` is in; folders that no entry describes are made.
  private func parent(of path: [[UInt8]], _ entry: TarEntry, _ label: String)
    throws(ImageError) -> FileNode
  {
    var parent = root
    for name in path.dropLast() {
      guard let next = parent.children?[name] else {
        let made = FileNode.emptyDirectory()
        parent.setChild(name, made)
        parent = made
        continue
      }
      guard next.children != nil else {
        throw ImageError(
          .unsafePath,
          "\(label): entry \(entry.path.printable) passes through "
            + "\(name.printable), which is not a folder")
      }
      parent = next
    }
    return parent
  }

  private func linkTarget(_ entry: TarEntry, _ label: String) throws(ImageError) -> FileNode {
    let path = try Self.components(of: entry.linkTarget, label: label)
    var node: FileNode? = root
    for name in path { node = node?.children?[name] }
    guard let node else {
      throw ImageError(
        .unsafePath,
        "\(label): entry \(entry.path.printable) is a hard link to "
          + "\(entry.linkTarget.printable), which is not in the image")
    }
    guard node.children == nil else {
      throw ImageError(
        .unsafePath, "\(label): entry \(entry.path.printable) is a hard link to a folder")
    }
    return node
  }

  private func update(_ node: FileNode, _ entry: TarEntry) {
    let described = FileNode(
      node.content, permissions: entry.permissions, uid: entry.uid, gid: entry.gid,
      attributes: entry.attributes)
    node.permissions = described.permissions
    node.uid = described.uid
    node.gid = described.gid
    node.attributes = described.attributes
  }

  private func node(_ entry: TarEntry, _ source: any ByteSource, _ label: String)
    throws(ImageError) -> FileNode
  {
    let content: FileNode.Content
    switch entry.kind {
    case .directory: content = .directory([:])
    case .fifo: content = .fifo
    case .characterDevice:
      content = .characterDevice(major: entry.deviceMajor, minor: entry.deviceMinor)
    case .blockDevice:
      content = .blockDevice(major: entry.deviceMajor, minor: entry.deviceMinor)
    case .symbolicLink:
      let target = entry.linkTarget
      guard !target.isEmpty, target.count <= Self.pathBytesMax, !target.contains(0) else {
        throw ImageError(
          .malformed, "\(label): entry \(entry.path.printable) has an unusable link target")
      }
      content = .symbolicLink(target)
    case .file, .hardLink:
      let extents = entry.extents.map {
        FileNode.Extent(
          fileOffset: $0.fileOffset, source: source, sourceOffset: $0.sourceOffset,
          byteCount: $0.byteCount)
      }
      content = .file(byteCount: entry.byteCount, extents: extents)
    }
    return FileNode(
      content, permissions: entry.permissions, uid: entry.uid, gid: entry.gid,
      modified: entry.modified, attributes: entry.attributes)
  }
}
