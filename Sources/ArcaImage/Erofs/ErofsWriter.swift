import ArcaBytes
import Crypto

/// Writes a tree as an EROFS image (Linux, fs/erofs/erofs_fs.h).
///
/// The same tree gives the same bytes, always: nothing but the tree goes in, and ``formatVersion``
/// changes when the bytes would. Layout: superblock, file contents, folders, inodes. Chunks of
/// 64 KiB that hold only zeros are not stored, whether or not the source knew them as holes.
package struct ErofsWriter {
  /// Part of every cache key.
  package static let formatVersion = 2

  private static let superblockOffset = 1024
  private static let superblockBytes = 128
  private static let magic: UInt32 = 0xe0f5_e1e2
  private static let slotBytes = 32
  private static let minimumChunkBytes: UInt64 = 64 << 10
  private static let chunksMax: UInt64 = 1 << 20

  private let output: ErofsOutput
  private let file: DataFile
  private let advance: (UInt64) -> Void
  private var inodes: [ErofsInode] = []
  private var known: [ObjectIdentifier: ErofsInode] = [:]
  private var salt = SHA256()

  /// Writes the tree under `root` to the empty file `file`, of at most `bytesMax` bytes.
  ///
  /// What it returns is a salt of 32 bytes for the verity tree, derived from names and metadata.
  ///
  /// `advance` gets the count of content bytes written since its last call.
  package static func write(
    _ root: FileNode, to file: DataFile, bytesMax: UInt64,
    advance: @escaping (UInt64) -> Void = { _ in }
  ) throws(ImageError) -> [UInt8] {
    var writer = ErofsWriter(
      output: ErofsOutput(file, bytesMax: bytesMax), file: file, advance: advance)
    // `.` and `..` point back at folders, which would keep one another for ever.
    defer { for inode in writer.inodes { inode.entries = [] } }
    return try writer.write(root)
  }

  private init(output: ErofsOutput, file: DataFile, advance: @escaping (UInt64) -> Void) {
    self.output = output
    self.file = file
    self.advance = advance
  }

  private mutating func write(_ root: FileNode) throws(ImageError) -> [UInt8] {
    let rootInode = try inode(for: root)
    try collect(rootInode, parent: rootInode)
    try output.append([UInt8](repeating: 0, count: ErofsOutput.blockBytes)[...])
    for inode in inodes { try writeContent(of: inode) }
    placeFolders()
    let metadataBlock = placeInodes()
    let superblock = superblock(root: rootInode, metadataBlock: metadataBlock)
    salt.update(data: Array("arca rootfs verity salt v1\0".utf8))
    salt.update(data: superblock)
    for inode in inodes where !inode.entries.isEmpty { try writeFolder(inode) }
    for inode in inodes { try writeMetadata(inode, from: metadataBlock) }
    try output.pad()
    try output.flush()
    try file.write(superblock[...], at: UInt64(Self.superblockOffset))
    return Array(salt.finalize())
  }

  private mutating func inode(for node: FileNode) throws(ImageError) -> ErofsInode {
    if let existing = known[ObjectIdentifier(node)] { return existing }
    guard let attributes = ErofsAttributes.encode(node.attributes) else {
      throw ImageError(.limitExceeded, "a file's extended attributes do not fit into the image")
    }
    let made = ErofsInode(node, number: UInt32(inodes.count + 1), attributes: attributes)
    known[ObjectIdentifier(node)] = made
    inodes.append(made)
    return made
  }

  /// Lists the folder's children and theirs, in the order of their names.
  private mutating func collect(_ folder: ErofsInode, parent: ErofsInode) throws(ImageError) {
    let children = folder.node.children ?? [:]
    folder.entries = [([0x2e], folder), ([0x2e, 0x2e], parent)]
    folder.linkCount = 2
    for name in children.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      guard let node = children[name] else { continue }
      let child = try inode(for: node)
      folder.entries.append((name, child))
      if node.children != nil {
        folder.linkCount += 1
        try collect(child, parent: folder)
      } else {
        child.linkCount += 1
      }
    }
    folder.entries.sort { $0.name.lexicographicallyPrecedes($1.name) }
    folder.byteCount = ErofsDirectory.byteCount(folder.entries)
    folder.chooseContiguousLayout()
  }

  // MARK: Contents

  private func writeContent(of inode: ErofsInode) throws(ImageError) {
    switch inode.node.content {
    case .symbolicLink(let target):
      inode.byteCount = UInt64(target.count)
      inode.chooseContiguousLayout()
      if inode.layout == .plain {
        inode.firstBlock = output.nextBlock
        try output.append(target[...])
        try output.pad()
      }
    case .file(let byteCount, let extents):
      inode.byteCount = byteCount
      try writeFile(inode, ErofsContent(byteCount: byteCount, extents: extents))
    case .directory, .characterDevice, .blockDevice, .fifo: break
    }
  }

  private func writeFile(_ inode: ErofsInode, _ content: ErofsContent) throws(ImageError) {
    var chunkBytes = Self.minimumChunkBytes
    var chunkBits: UInt16 = 4
    while (content.byteCount + chunkBytes - 1) / chunkBytes > Self.chunksMax {
      chunkBytes *= 2
      chunkBits += 1
    }
    inode.chooseContiguousLayout()
    inode.firstBlock = output.nextBlock
    var chunks: [UInt32] = []
    var hasHole = false
    var offset: UInt64 = 0
    while offset < content.byteCount {
      let count = min(chunkBytes, content.byteCount - offset)
      let bytes = try content.read(at: offset, count: Int(count))
      // Only a whole chunk can be a hole, so that a short file of zeros stays an ordinary one.
      if count == chunkBytes, bytes?.allSatisfy({ $0 == 0 }) ?? true {
        chunks.append(ErofsInode.hole)
        hasHole = true
      } else {
        chunks.append(output.nextBlock)
        let present = bytes ?? [UInt8](repeating: 0, count: Int(count))
        let isLast = offset + count == content.byteCount
        let tail = isLast && !hasHole ? inode.inlineBytes : 0
        try output.append(present.dropLast(tail))
        try output.pad()
      }
      offset += count
      advance(count)
    }
    if hasHole {
      inode.layout = .chunked
      inode.chunks = chunks
      inode.chunkBits = chunkBits
    }
  }

  // MARK: Metadata

  /// Gives every folder that needs blocks of its own their addresses.
  private func placeFolders() {
    var block = output.nextBlock
    for inode in inodes where !inode.entries.isEmpty {
      inode.firstBlock = block
      block += blockCount(of: inode)
    }
  }

  /// How many blocks a folder has apart from what follows its inode.
  private func blockCount(of folder: ErofsInode) -> UInt32 {
    let bytes = folder.byteCount - UInt64(folder.inlineBytes)
    let block = UInt64(ErofsOutput.blockBytes)
    return UInt32(truncatingIfNeeded: (bytes + block - 1) / block)
  }

  /// Gives every inode its place; returns the first block of the metadata area.
  private func placeInodes() -> UInt32 {
    let block = UInt64(ErofsOutput.blockBytes)
    // Slot 0 stays empty: programs take an inode number of 0 for a deleted entry.
    var next = UInt64(Self.slotBytes)
    for inode in inodes {
      let size = UInt64(inode.metadataBytes)
      if next % block + size > block, next % block > 0 { next = (next / block + 1) * block }
      inode.nid = next / UInt64(Self.slotBytes)
      let slot = UInt64(Self.slotBytes)
      next = (next + size + slot - 1) / slot * slot
    }
    return inodes.reduce(output.nextBlock) {
      $1.entries.isEmpty ? $0 : $0 + blockCount(of: $1)
    }
  }

  private mutating func writeFolder(_ folder: ErofsInode) throws(ImageError) {
    let content = ErofsDirectory.encode(folder.entries)
    let apart = content.dropLast(folder.inlineBytes)
    salt.update(data: apart)
    try output.append(apart)
    try output.pad()
  }

  private mutating func writeMetadata(_ inode: ErofsInode, from metadataBlock: UInt32)
    throws(ImageError)
  {
    let start =
      UInt64(metadataBlock) * UInt64(ErofsOutput.blockBytes) + inode.nid * UInt64(Self.slotBytes)
    try output.append([UInt8](repeating: 0, count: Int(start - output.byteCount))[...])
    var bytes = inode.encoded()
    if inode.inlineBytes > 0 { bytes += try inlineContent(of: inode) }
    salt.update(data: bytes)
    try output.append(bytes[...])
  }

  private func inlineContent(of inode: ErofsInode) throws(ImageError) -> [UInt8] {
    switch inode.node.content {
    case .directory:
      return Array(ErofsDirectory.encode(inode.entries).suffix(inode.inlineBytes))
    case .symbolicLink(let target): return target
    case .file(let byteCount, let extents):
      let content = ErofsContent(byteCount: byteCount, extents: extents)
      let start = byteCount - UInt64(inode.inlineBytes)
      return try content.read(at: start, count: inode.inlineBytes)
        ?? [UInt8](repeating: 0, count: inode.inlineBytes)
    case .characterDevice, .blockDevice, .fifo: return []
    }
  }

  private func superblock(root: ErofsInode, metadataBlock: UInt32) -> [UInt8] {
    let block = UInt64(ErofsOutput.blockBytes)
    let end = inodes.last.map { $0.nid * UInt64(Self.slotBytes) + UInt64($0.metadataBytes) } ?? 0
    let usesChunks = inodes.contains { $0.layout == .chunked }
    var writer = ByteWriter(capacity: Self.superblockBytes)
    writer.u32(Self.magic)
    writer.u32(0)  // checksum: dm-verity covers this block
    writer.u32(2)  // compatible features: times are modification times
    writer.u8(12)  // log2 of the block size
    writer.u8(0)
    writer.u16(UInt16(truncatingIfNeeded: root.nid))
    writer.u64(UInt64(inodes.count))
    writer.u64(0)  // build time
    writer.u32(0)
    writer.u32(metadataBlock + UInt32(truncatingIfNeeded: (end + block - 1) / block))
    writer.u32(metadataBlock)
    writer.u32(0)  // shared attributes: none
    writer.zeros(16 + 16)  // UUID and volume name
    writer.u32(usesChunks ? 4 : 0)  // incompatible features: chunked files
    writer.zeros(Self.superblockBytes - writer.bytes.count)
    return writer.bytes
  }
}
