import ArcaBytes
import Crypto

/// A regular file of a root file system.
public struct RootFile: Sendable, Equatable, Codable {
  /// The absolute path; bytes that are no UTF-8 are shown as U+FFFD.
  public let path: String
  /// Size in bytes.
  public let byteCount: UInt64
  /// SHA-256 of the content, 32 bytes.
  public let sha256: [UInt8]
}

/// Lists the files of an EROFS image that ``ErofsWriter`` made (Linux, fs/erofs/erofs_fs.h), and
/// unpacks them where that is asked for.
///
/// The image is one that its hash tree vouches for, or was just converted; all the same, every
/// number is checked before it is used.
package struct ErofsReader {
  private static let magic: UInt32 = 0xe0f5_e1e2
  private static let block = UInt64(ErofsOutput.blockBytes)
  private static let depthMax = 256
  private static let folderBytesMax: UInt64 = 64 << 20
  private static let pieceBytes: UInt64 = 1 << 20

  private let file: DataFile
  private let byteCount: UInt64
  private let metadata: UInt64
  private var digests: [UInt64: [UInt8]] = [:]
  private var firstPaths: [UInt64: String] = [:]
  private var files: [RootFile] = []
  private let target: UnpackedFolder?

  private struct Inode {
    let layout: ErofsInode.Layout
    let mode: UInt16
    let byteCount: UInt64
    let uid: UInt32
    let gid: UInt32
    let modified: UInt64
    let union: UInt32
    /// Where what follows the inode and its attributes starts.
    let tail: UInt64
  }

  /// The regular files of the image in `file`, of `byteCount` bytes, sorted by path; they,
  /// folders and links are put into `target`, without extended attributes.
  package static func files(
    of file: DataFile, byteCount: UInt64, unpackedTo target: UnpackedFolder? = nil
  ) throws(ImageError) -> [RootFile] {
    let superblock = try ByteFields(file.read(at: 1024, count: 128), file.name)
    guard try superblock.u32(0) == magic, try superblock.u32(12) & 0xff == 12 else {
      throw ImageError(.malformed, "\(file.name): no EROFS image of 4096-byte blocks")
    }
    var reader = ErofsReader(
      file: file, byteCount: byteCount, metadata: UInt64(try superblock.u32(40)) * block,
      target: target)
    try reader.walk(UInt64(try superblock.u16(14)), path: "", depth: 0)
    return reader.files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private init(
    file: DataFile, byteCount: UInt64, metadata: UInt64, target: UnpackedFolder?
  ) {
    self.target = target
    self.file = file
    self.byteCount = byteCount
    self.metadata = metadata
  }

  private mutating func walk(_ nid: UInt64, path: String, depth: Int) throws(ImageError) {
    guard depth <= Self.depthMax else { throw malformed("folders deeper than \(Self.depthMax)") }
    let folder = try inode(nid)
    guard folder.byteCount <= Self.folderBytesMax else { throw malformed("\(path): too large") }
    let content = try content(of: folder, at: 0, count: folder.byteCount)
    for start in stride(from: 0, to: content.count, by: Int(Self.block)) {
      let page = ByteFields(
        Array(content[start..<min(start + Int(Self.block), content.count)]), file.name)
      let count = Int(try page.u16(8)) / 12
      for index in 0..<count {
        let from = Int(try page.u16(index * 12 + 8))
        let to = index + 1 < count ? Int(try page.u16(index * 12 + 20)) : page.bytes.count
        guard from < to, to <= page.bytes.count else { throw malformed("\(path): a name's place") }
        let bytes = page.bytes[from..<to].prefix { $0 != 0 }
        let name = String(decoding: bytes, as: UTF8.self)
        guard name != ".", name != ".." else { continue }
        guard target == nil || (bytes.elementsEqual(name.utf8) && !name.contains("/")) else {
          throw malformed("\(path)/\(name): a name that is no UTF-8 cannot be unpacked")
        }
        try visit(try page.u64(index * 12), path: path + "/" + name, depth: depth + 1)
      }
    }
  }

  private mutating func visit(_ nid: UInt64, path: String, depth: Int) throws(ImageError) {
    let found = try inode(nid)
    switch found.mode & 0o170000 {
    case 0o040000:
      try target?.makeFolder(path)
      try walk(nid, path: path, depth: depth)
    case 0o100000:
      if let digest = digests[nid] {
        files.append(RootFile(path: path, byteCount: found.byteCount, sha256: digest))
        try target?.link(path, to: firstPaths[nid] ?? path)
        return
      }
      let digest = try copy(found, to: try target?.makeFile(path))
      digests[nid] = digest
      firstPaths[nid] = path
      files.append(RootFile(path: path, byteCount: found.byteCount, sha256: digest))
    case 0o120000:
      try target?.makeLink(path, try content(of: found, at: 0, count: min(found.byteCount, 4096)))
    default: return
    }
    try target?.setAttributes(
      path, mode: found.mode, uid: found.uid, gid: found.gid, modified: found.modified)
  }

  private func inode(_ nid: UInt64) throws(ImageError) -> Inode {
    guard nid < byteCount / 32, metadata < byteCount else { throw malformed("inode \(nid)") }
    let start = metadata + nid * 32
    let fields = ByteFields(try file.read(at: start, count: 64), file.name)
    let format = try fields.u16(0)
    guard format & 1 == 1, let layout = ErofsInode.Layout(rawValue: format >> 1) else {
      throw malformed("inode \(nid): format \(format)")
    }
    let attributes = UInt64(try fields.u16(2))
    return Inode(
      layout: layout, mode: try fields.u16(4), byteCount: try fields.u64(8),
      uid: try fields.u32(24), gid: try fields.u32(28), modified: try fields.u64(32),
      union: try fields.u32(16),
      tail: start + 64 + (attributes == 0 ? 0 : 12 + 4 * (attributes - 1)))
  }

  /// Writes the content of a file to `target`, where there is one; its SHA-256.
  private func copy(_ inode: Inode, to target: DataFile?) throws(ImageError) -> [UInt8] {
    var hash = SHA256()
    var offset: UInt64 = 0
    while offset < inode.byteCount {
      let count = min(Self.pieceBytes, inode.byteCount - offset)
      let piece = try content(of: inode, at: offset, count: count)
      hash.update(data: piece)
      try target?.write(piece[...], at: offset)
      offset += count
    }
    return Array(hash.finalize())
  }

  /// Bytes of a file or folder; `offset` is a multiple of a chunk's size.
  private func content(
    of inode: Inode, at offset: UInt64, count: UInt64
  ) throws(ImageError) -> [UInt8] {
    guard inode.byteCount <= 1 << 50 else { throw malformed("a file of \(inode.byteCount) bytes") }
    let first = UInt64(inode.union) * Self.block
    switch inode.layout {
    case .plain: return try read(first + offset, count)
    case .inline:
      let apart = inode.byteCount / Self.block * Self.block
      let before = offset < apart ? min(count, apart - offset) : 0
      let rest = count - before
      return try read(first + offset, before)
        + read(inode.tail + (max(offset, apart) - apart), rest)
    case .chunked: return try chunks(of: inode, at: offset, count: count)
    }
  }

  private func chunks(
    of inode: Inode, at offset: UInt64, count: UInt64
  ) throws(ImageError) -> [UInt8] {
    let chunk = Self.block << UInt64(inode.union & 0x1f)
    var bytes: [UInt8] = []
    while UInt64(bytes.count) < count {
      let at = offset + UInt64(bytes.count)
      let table = ByteFields(
        try file.read(at: inode.tail + at / chunk * 4, count: 4), file.name)
      let part = min(count - UInt64(bytes.count), chunk - at % chunk)
      let place = try table.u32(0)
      bytes +=
        place == ErofsInode.hole
        ? [UInt8](repeating: 0, count: Int(part))
        : try read(UInt64(place) * Self.block + at % chunk, part)
    }
    return bytes
  }

  private func read(_ offset: UInt64, _ count: UInt64) throws(ImageError) -> [UInt8] {
    guard count > 0 else { return [] }
    guard offset <= byteCount, count <= byteCount - offset else {
      throw malformed("a file's bytes lie outside of the image")
    }
    let bytes = try file.read(at: offset, count: Int(count))
    guard bytes.count == Int(count) else { throw malformed("the image ends early") }
    return bytes
  }

  private func malformed(_ what: String) -> ImageError {
    ImageError(.malformed, "\(file.name): \(what)")
  }
}

/// Little-endian numbers at places in a few bytes.
private struct ByteFields {
  let bytes: [UInt8]
  private let name: String

  init(_ bytes: [UInt8], _ name: String) {
    self.bytes = bytes
    self.name = name
  }

  func u16(_ offset: Int) throws(ImageError) -> UInt16 { UInt16(try number(offset, 2)) }
  func u32(_ offset: Int) throws(ImageError) -> UInt32 { UInt32(try number(offset, 4)) }
  func u64(_ offset: Int) throws(ImageError) -> UInt64 { try number(offset, 8) }

  private func number(_ offset: Int, _ count: Int) throws(ImageError) -> UInt64 {
    guard offset >= 0, offset + count <= bytes.count else {
      throw ImageError(.malformed, "\(name): ends within a structure")
    }
    return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension PreparedImage {
  /// The regular files of the root file system; nil where it is encrypted.
  public func files() throws(ImageError) -> [RootFile]? {
    guard workloadManifest?.rootFilesystem.encryptionKey == nil else { return nil }
    return try ErofsReader.files(
      of: DataFile.reading(rootfsPath), byteCount: dataBlocks * UInt64(ErofsOutput.blockBytes))
  }
}
