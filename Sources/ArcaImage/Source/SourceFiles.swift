/// The files of an image source, by their path inside it.
protocol SourceFiles {
  /// What the source is, for messages.
  var name: String { get }
  /// The file at `path`, or nil where there is none.
  func find(_ path: String) throws(ImageError) -> ByteRange?
}

extension SourceFiles {
  /// The file at `path`, which must exist.
  func file(_ path: String) throws(ImageError) -> ByteRange {
    guard let found = try find(path) else {
      throw ImageError(.notFound, "\(name): no file '\(path)'")
    }
    return found
  }

  /// The whole of the small file at `path`.
  func document(_ path: String, limits: ImageLimits) throws(ImageError) -> [UInt8] {
    try file(path).whole(bytesMax: limits.documentBytesMax)
  }
}

extension ByteRange {
  /// All bytes, of which there may be no more than `bytesMax`.
  func whole(bytesMax: UInt64) throws(ImageError) -> [UInt8] {
    guard byteCount <= bytesMax else {
      throw ImageError(.limitExceeded, "\(name): \(byteCount) bytes, more than \(bytesMax)")
    }
    return try read(at: 0, count: Int(byteCount))
  }
}

/// A source that is a folder.
struct FolderFiles: SourceFiles {
  let name: String

  func find(_ path: String) throws(ImageError) -> ByteRange? {
    let full = "\(name)/\(path)"
    do {
      let file = try DataFile.reading(full)
      return ByteRange(source: file, start: 0, byteCount: file.byteCount, name: full)
    } catch {
      if error.code == .notFound { return nil }
      throw error
    }
  }
}

/// A source that is a tar file, plain or packed.
struct ArchiveFiles: SourceFiles {
  private enum Item {
    case file(ByteRange)
    case link([UInt8])
  }

  let name: String
  private var items: [[UInt8]: Item] = [:]

  /// Lists the archive at `path`; a packed one is unpacked into `temporary` first.
  init(path: String, temporary: String, limits: ImageLimits) throws(ImageError) {
    name = path
    let packed = try DataFile.reading(path)
    let file =
      Compression.detect(try packed.read(at: 0, count: 4)) == .none
      ? packed : try Self.unpacked(packed, temporary, limits)
    var reader = TarReader(file, label: path, limits: limits)
    while let entry = try reader.next() {
      guard items.count < limits.entriesMax else {
        throw ImageError(.limitExceeded, "\(path): more than \(limits.entriesMax) entries")
      }
      let parts = try LayerMerge.components(of: entry.path, label: path)
      let key = Array(parts.joined(separator: "/".utf8))
      switch entry.kind {
      case .file where entry.extents.count <= 1 && entry.extents.first?.fileOffset ?? 0 == 0:
        let range = ByteRange(
          source: file, start: entry.extents.first?.sourceOffset ?? 0,
          byteCount: entry.byteCount, name: "\(path): \(key.printable)")
        items[key] = .file(range)
      case .symbolicLink: items[key] = .link(Self.resolve(entry.linkTarget, from: parts))
      case .hardLink: items[key] = .link(Self.resolve(entry.linkTarget, from: []))
      default: break
      }
    }
  }

  func find(_ path: String) throws(ImageError) -> ByteRange? {
    var key = Array(path.utf8)
    // `docker save` replaces layers that are equal by links to the first.
    for _ in 0..<8 {
      switch items[key] {
      case .file(let range): return range
      case .link(let target): key = target
      case nil: return nil
      }
    }
    return nil
  }

  /// The path inside the archive that a link in the folder of `parts` points at.
  ///
  /// It is only ever a key to look up: what leaves the archive finds nothing.
  private static func resolve(_ target: [UInt8], from parts: [[UInt8]]) -> [UInt8] {
    var path = Array(parts.dropLast())
    for part in target.split(separator: UInt8(ascii: "/")) where part != [0x2e] {
      if part == [0x2e, 0x2e] { _ = path.popLast() } else { path.append(Array(part)) }
    }
    return Array(path.joined(separator: "/".utf8))
  }

  private static func unpacked(_ packed: DataFile, _ directory: String, _ limits: ImageLimits)
    throws(ImageError) -> DataFile
  {
    let range = ByteRange(
      source: packed, start: 0, byteCount: packed.byteCount, name: packed.name)
    var spooler = LayerSpooler(directory: directory, limits: limits, advance: { _ in })
    return try spooler.spool(LayerDescription(label: packed.name, blob: range))
  }
}
