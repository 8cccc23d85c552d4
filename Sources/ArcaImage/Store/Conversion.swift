/// Turns the layers of an image into a root file system with its hash tree.
struct Conversion {
  private static let accountFileBytesMax: UInt64 = 1 << 20
  private static let linksFollowedMax = 8

  let limits: ImageLimits
  let progress: ImageProgressHandler?

  /// Makes all files of a root file system in the new folder `target`; `temporary` is for spools.
  func convert(_ layers: [LayerDescription], to target: String, temporary: String)
    throws(ImageError)
  {
    var merge = LayerMerge(limits: limits)
    let packed = Counter(.unpacking, layers.reduce(0) { $0 + $1.blob.byteCount }, progress)
    var spooler = LayerSpooler(directory: temporary, limits: limits, advance: packed.advance)
    for layer in layers { try merge.apply(try spooler.spool(layer), label: layer.label) }
    EngineFiles.normalise(merge.root)
    try write(merge.root, to: target)
  }

  /// Writes the tree under `root` as a root file system in the new folder `target`.
  func write(_ root: FileNode, to target: String) throws(ImageError) {
    try Directory.create(target)
    let layout = StoreLayout(base: target)
    let image = try DataFile.creating("\(target)/rootfs.erofs")
    let written = Counter(.writing, Self.contentBytes(root), progress)
    let salt = try ErofsWriter.write(
      root, to: image, bytesMax: limits.uncompressedBytesMax, advance: written.advance)
    let hashed = Counter(.hashing, image.byteCount, progress)
    let tree = try VerityTree.append(to: image, salt: salt, advance: hashed.advance)
    try image.sync()
    let description = RootFileSystem(tree, sizeBytes: image.byteCount)
    try layout.write(try StoreJSON.encode(description), to: "\(target)/rootfs.json")
    for name in ["passwd", "group"] {
      try layout.write(try Self.accountFile(name, in: root), to: "\(target)/\(name)")
    }
    try Directory.sync(target)
  }

  private static func contentBytes(_ root: FileNode) -> UInt64 {
    var total: UInt64 = 0
    var pending = [root]
    while let node = pending.popLast() {
      if case .file(let byteCount, _) = node.content { total += byteCount }
      if let children = node.children { pending += children.values }
    }
    return total
  }

  /// The content of `/etc/<name>`, links followed inside the tree; empty where there is none.
  private static func accountFile(_ name: String, in root: FileNode) throws(ImageError)
    -> [UInt8]
  {
    var pending = [Array("etc".utf8), Array(name.utf8)]
    var walked = [root]
    var linksLeft = linksFollowedMax
    while !pending.isEmpty {
      let part = pending.removeFirst()
      if part.isEmpty || part == [0x2e] { continue }
      if part == [0x2e, 0x2e] {
        if walked.count > 1 { walked.removeLast() }
        continue
      }
      guard let node = walked.last?.children?[part] else { return [] }
      guard case .symbolicLink(let target) = node.content else {
        walked.append(node)
        continue
      }
      linksLeft -= 1
      guard linksLeft >= 0 else { return [] }
      if target.first == UInt8(ascii: "/") { walked = [root] }
      pending = target.split(separator: UInt8(ascii: "/")).map(Array.init) + pending
    }
    guard case .file(let byteCount, let extents) = walked.last?.content, byteCount > 0 else {
      return []
    }
    guard byteCount <= accountFileBytesMax else {
      throw ImageError(.limitExceeded, "/etc/\(name) has \(byteCount) bytes")
    }
    return try ErofsContent(byteCount: byteCount, extents: extents)
      .read(at: 0, count: Int(byteCount)) ?? []
  }

  /// Adds up what a stage has done.
  private final class Counter {
    private let stage: ImageProgress.Stage
    private let total: UInt64
    private let handler: ImageProgressHandler?
    private var done: UInt64 = 0

    init(_ stage: ImageProgress.Stage, _ total: UInt64, _ handler: ImageProgressHandler?) {
      self.stage = stage
      self.total = total
      self.handler = handler
    }

    func advance(_ bytes: UInt64) {
      done += bytes
      handler?(ImageProgress(stage: stage, doneBytes: done, totalBytes: total))
    }
  }
}
