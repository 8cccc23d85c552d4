import ArcaBytes

/// An inode on its way into the image: what is known of where its parts lie.
final class ErofsInode {
  /// `i_format` data layouts (Linux, fs/erofs/erofs_fs.h).
  enum Layout: UInt16 {
    /// All data in consecutive blocks.
    case plain = 0
    /// As ``plain``, but what does not fill the last block follows the inode.
    case inline = 2
    /// A table of block addresses, one for each chunk, follows the inode.
    case chunked = 4
  }

  static let headBytes = 64
  /// Tails up to this size follow their inode; larger ones would leave too much of a block unused.
  static let inlineBytesMax = 2048
  static let hole = UInt32.max

  let node: FileNode
  /// From 1, in the order of the tree.
  let number: UInt32
  let attributes: [UInt8]
  var linkCount: UInt32 = 0
  var layout = Layout.plain
  var byteCount: UInt64 = 0
  var firstBlock: UInt32 = 0
  /// Block addresses of a chunked file.
  var chunks: [UInt32] = []
  /// Binary logarithm of the blocks in a chunk.
  var chunkBits: UInt16 = 0
  /// A folder's entries, `.` and `..` among them, sorted by name.
  var entries: [(name: [UInt8], inode: ErofsInode)] = []
  /// The inode's place in the metadata area, in units of 32 bytes.
  var nid: UInt64 = 0

  init(_ node: FileNode, number: UInt32, attributes: [UInt8]) {
    self.node = node
    self.number = number
    self.attributes = attributes
  }

  /// How many bytes of content follow the inode.
  var inlineBytes: Int { layout == .inline ? Int(byteCount % UInt64(ErofsOutput.blockBytes)) : 0 }

  /// Chooses between inline and plain for content that is contiguous.
  func chooseContiguousLayout() {
    let tail = Int(byteCount % UInt64(ErofsOutput.blockBytes))
    let fits =
      tail > 0 && tail <= Self.inlineBytesMax
      && Self.headBytes + attributes.count + tail <= ErofsOutput.blockBytes
    layout = fits ? .inline : .plain
  }

  /// The size of the inode with all that follows it.
  var metadataBytes: Int { Self.headBytes + attributes.count + inlineBytes + chunks.count * 4 }

  /// The file type of a folder's entry.
  var fileType: UInt8 {
    switch node.content {
    case .file: 1
    case .directory: 2
    case .characterDevice: 3
    case .blockDevice: 4
    case .fifo: 5
    case .symbolicLink: 7
    }
  }

  private var mode: UInt16 {
    let type: UInt16 =
      switch node.content {
      case .file: 0o100000
      case .directory: 0o040000
      case .characterDevice: 0o020000
      case .blockDevice: 0o060000
      case .fifo: 0o010000
      case .symbolicLink: 0o120000
      }
    return type | node.permissions
  }

  /// The field `i_u`: a device number, the form of the chunk table, or the first block.
  private var union: UInt32 {
    switch node.content {
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      return minor & 0xff | major << 8 | (minor & ~0xff) << 12
    default: return layout == .chunked ? UInt32(chunkBits) : firstBlock
    }
  }

  /// The extended inode, its attributes and its chunk table.
  func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: metadataBytes)
    writer.u16(1 | layout.rawValue << 1)
    writer.u16(ErofsAttributes.count(attributes) ?? 0)
    writer.u16(mode)
    writer.u16(0)
    writer.u64(byteCount)
    writer.u32(union)
    writer.u32(number)
    writer.u32(node.uid)
    writer.u32(node.gid)
    writer.u64(UInt64(bitPattern: node.modified))
    writer.u32(0)
    writer.u32(linkCount)
    writer.zeros(16)
    writer.append(attributes)
    for chunk in chunks { writer.u32(chunk) }
    return writer.bytes
  }
}
