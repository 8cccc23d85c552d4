/// Reads the entries of a tar stream: ustar, pax, GNU names, numbers and sparse files.
///
/// Only headers are read; contents stay where they are and are named by ``TarEntry/extents``.
/// No input makes it trap, loop or hold more than a bounded amount of memory.
package struct TarReader<Source: ByteSource> {
  /// The largest pax header, or GNU name.
  private let extensionBytesMax = 1 << 20

  private let source: Source
  private let label: String
  private let limits: ImageLimits
  private var offset: UInt64 = 0
  private var globals = PaxRecords()

  /// Reads `source`; `label` names it in errors.
  package init(_ source: Source, label: String, limits: ImageLimits = ImageLimits()) {
    self.source = source
    self.label = label
    self.limits = limits
  }

  /// What extension headers say about the entry that follows them.
  private struct Pending {
    var pax: PaxRecords?
    var longName: [UInt8]?
    var longLink: [UInt8]?
  }

  /// The next entry, or nil at the end of the stream.
  package mutating func next() throws(ImageError) -> TarEntry? {
    var pending = Pending()
    while let header = try nextHeader() {
      switch header.typeFlag {
      case UInt8(ascii: "x"): pending.pax = try paxRecords(header)
      case UInt8(ascii: "g"): globals = globals.overlaid(with: try paxRecords(header))
      case UInt8(ascii: "L"): pending.longName = try longText(header)
      case UInt8(ascii: "K"): pending.longLink = try longText(header)
      default: return try entry(header, pending)
      }
    }
    guard pending.pax == nil, pending.longName == nil, pending.longLink == nil else {
      throw ImageError(.truncated, "\(label): ends after an extended header")
    }
    return nil
  }

  private mutating func nextHeader() throws(ImageError) -> TarHeader? {
    let block = try source.read(at: offset, count: TarHeader.blockBytes)
    if block.isEmpty { return nil }
    guard block.count == TarHeader.blockBytes else {
      throw ImageError(.truncated, "\(label): ends inside the header at byte \(offset)")
    }
    if block.allSatisfy({ $0 == 0 }) {
      let after = try source.read(
        at: offset + UInt64(TarHeader.blockBytes), count: TarHeader.blockBytes)
      guard after.allSatisfy({ $0 == 0 }) else {
        throw ImageError(.malformed, "\(label): a single empty block at byte \(offset)")
      }
      return nil
    }
    guard let header = TarHeader(block) else {
      throw ImageError(.malformed, "\(label): wrong header checksum at byte \(offset)")
    }
    offset += UInt64(TarHeader.blockBytes)
    return header
  }

  /// The data of an extension header, which is passed over.
  private mutating func data(of header: TarHeader) throws(ImageError) -> [UInt8] {
    guard let size = header.number(124..<136), size >= 0, size <= Int64(extensionBytesMax) else {
      throw ImageError(
        .limitExceeded, "\(label): an extended header at byte \(offset) of unusable size")
    }
    let bytes = try source.read(at: offset, count: Int(size))
    guard bytes.count == Int(size) else {
      throw ImageError(.truncated, "\(label): ends inside an extended header at byte \(offset)")
    }
    offset += (UInt64(size) + 511) / 512 * 512
    return bytes
  }

  private mutating func paxRecords(_ header: TarHeader) throws(ImageError) -> PaxRecords {
    guard let records = PaxRecords(try data(of: header)) else {
      throw ImageError(.malformed, "\(label): malformed pax header before byte \(offset)")
    }
    return records
  }

  private mutating func longText(_ header: TarHeader) throws(ImageError) -> [UInt8] {
    Array(try data(of: header).prefix { $0 != 0 })
  }

  private mutating func entry(_ header: TarHeader, _ pending: Pending)
    throws(ImageError) -> TarEntry
  {
    let pax = globals.overlaid(with: pending.pax ?? PaxRecords())
    var entry = TarEntry()
    entry.path = pax["GNU.sparse.name"] ?? pax["path"] ?? pending.longName ?? header.name
    entry.linkTarget = pax["linkpath"] ?? pending.longLink ?? header.linkName
    entry.kind = try kind(of: header, entry)
    try readNumbers(header, pax, into: &entry)
    guard let attributes = pax.attributes else { throw fault("extended attribute", entry) }
    entry.attributes = attributes
    // Entries other than files have no data, whatever their size field says (as GNU tar reads it).
    if entry.kind == .file { try readContent(header, pax, into: &entry) }
    return entry
  }

  private func kind(of header: TarHeader, _ entry: TarEntry) throws(ImageError) -> TarEntry.Kind {
    switch header.typeFlag {
    case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
      // Before ustar a folder was a file whose name ends in a slash.
      return entry.path.last == UInt8(ascii: "/") ? .directory : .file
    case UInt8(ascii: "S"): return .file
    case UInt8(ascii: "1"): return .hardLink
    case UInt8(ascii: "2"): return .symbolicLink
    case UInt8(ascii: "3"): return .characterDevice
    case UInt8(ascii: "4"): return .blockDevice
    case UInt8(ascii: "5"): return .directory
    case UInt8(ascii: "6"): return .fifo
    default:
      throw ImageError(
        .unsupported,
        "\(label): entry \(entry.path.printable) has the unknown type "
          + "\([header.typeFlag].printable)")
    }
  }

  private func readNumbers(_ header: TarHeader, _ pax: PaxRecords, into entry: inout TarEntry)
    throws(ImageError)
  {
    guard let mode = header.number(100..<108) else { throw fault("mode", entry) }
    entry.permissions = UInt16(truncatingIfNeeded: mode & 0o7777)
    entry.uid = try identity(pax["uid"], header.number(108..<116), "uid", entry)
    entry.gid = try identity(pax["gid"], header.number(116..<124), "gid", entry)
    let time = pax["mtime"].map(PaxRecords.seconds) ?? header.number(136..<148)
    guard let time else { throw fault("mtime", entry) }
    entry.modified = time
    guard entry.kind == .characterDevice || entry.kind == .blockDevice else { return }
    guard let major = header.number(329..<337), let minor = header.number(337..<345),
      (0..<1 << 12).contains(major), (0..<1 << 20).contains(minor)
    else { throw fault("device number", entry) }
    entry.deviceMajor = UInt32(major)
    entry.deviceMinor = UInt32(minor)
  }

  private func identity(
    _ record: [UInt8]?, _ field: Int64?, _ what: String, _ entry: TarEntry
  ) throws(ImageError) -> UInt32 {
    let value = record.map { PaxRecords.decimal($0) } ?? field.flatMap { UInt64(exactly: $0) }
    guard let value, let id = UInt32(exactly: value), id != UInt32.max else {
      throw fault(what, entry)
    }
    return id
  }

  private mutating func readContent(
    _ header: TarHeader, _ pax: PaxRecords, into entry: inout TarEntry
  ) throws(ImageError) {
    let size =
      pax["size"].map { PaxRecords.decimal($0) }
      ?? header.number(124..<136).flatMap { UInt64(exactly: $0) }
    guard var stored = size, stored <= limits.fileBytesMax else { throw fault("size", entry) }
    var map: SparseMap?
    var dataStart = offset
    if header.typeFlag == UInt8(ascii: "S") {
      map = try oldSparseMap(header, &entry)
      dataStart = offset
    } else if pax["GNU.sparse.major"] != nil {
      let dataEnd = offset + stored
      map = try sparseMapInData(until: dataEnd, &dataStart, pax, &entry)
      stored = dataEnd - dataStart
    } else if let real = pax["GNU.sparse.size"] {
      map = try sparseMapInHeader(pax, real, &entry)
    }
    let end = dataStart + stored
    guard end <= source.byteCount else {
      throw ImageError(
        .truncated, "\(label): ends inside the data of \(entry.path.printable)")
    }
    offset = dataStart + (stored + 511) / 512 * 512
    guard let map else {
      entry.byteCount = stored
      if stored > 0 {
        entry.extents = [.init(fileOffset: 0, sourceOffset: dataStart, byteCount: stored)]
      }
      return
    }
    guard entry.byteCount <= limits.fileBytesMax,
      let extents = map.extents(
        dataOffset: dataStart, storedBytes: stored, fileBytes: entry.byteCount)
    else { throw fault("sparse map", entry) }
    entry.extents = extents
  }

  /// The map in the header itself and in the continuation blocks after it.
  private mutating func oldSparseMap(_ header: TarHeader, _ entry: inout TarEntry)
    throws(ImageError) -> SparseMap
  {
    guard var map = SparseMap(block: header.block, start: 386, count: 4),
      let real = header.number(483..<495), real >= 0
    else { throw fault("sparse map", entry) }
    entry.byteCount = UInt64(real)
    var more = header.block[482] != 0
    while more {
      let block = try source.read(at: offset, count: TarHeader.blockBytes)
      guard block.count == TarHeader.blockBytes,
        let part = SparseMap(block: block, start: 0, count: 21), map.append(part)
      else { throw fault("sparse map", entry) }
      offset += UInt64(TarHeader.blockBytes)
      more = block[504] != 0
    }
    return map
  }

  /// Formats 0.0 and 0.1: the map is in pax records.
  private func sparseMapInHeader(_ pax: PaxRecords, _ real: [UInt8], _ entry: inout TarEntry)
    throws(ImageError) -> SparseMap
  {
    let texts = pax["GNU.sparse.map"].map { $0.split(separator: UInt8(ascii: ",")) }
    var numbers: [UInt64] = []
    for text in texts ?? pax.sparsePairs.map({ $0[...] }) {
      guard let number = PaxRecords.decimal(text) else { throw fault("sparse map", entry) }
      numbers.append(number)
    }
    guard let size = PaxRecords.decimal(real), let map = SparseMap(pairs: numbers) else {
      throw fault("sparse map", entry)
    }
    entry.byteCount = size
    return map
  }

  /// Format 1.0: decimal lines before the data, padded to a block.
  private func sparseMapInData(
    until end: UInt64, _ start: inout UInt64, _ pax: PaxRecords, _ entry: inout TarEntry
  ) throws(ImageError) -> SparseMap {
    guard pax["GNU.sparse.major"] == [UInt8(ascii: "1")], let realText = pax["GNU.sparse.realsize"],
      let real = PaxRecords.decimal(realText)
    else { throw fault("sparse format", entry) }
    entry.byteCount = real
    var numbers: [UInt64] = []
    var wanted: Int?
    var digits: [UInt8] = []
    while wanted.map({ numbers.count < $0 }) ?? true {
      guard start < end else { throw fault("sparse map", entry) }
      let block = try source.read(at: start, count: TarHeader.blockBytes)
      guard block.count == TarHeader.blockBytes else { throw fault("sparse map", entry) }
      start += UInt64(TarHeader.blockBytes)
      for byte in block where wanted.map({ numbers.count < $0 }) ?? true {
        if byte != 0x0a {
          digits.append(byte)
          continue
        }
        guard let number = PaxRecords.decimal(digits) else { throw fault("sparse map", entry) }
        digits = []
        if wanted != nil {
          numbers.append(number)
        } else if number <= UInt64(SparseMap.regionsMax) {
          wanted = Int(number) * 2
        } else {
          throw fault("sparse map", entry)
        }
      }
    }
    guard start <= end, let map = SparseMap(pairs: numbers) else {
      throw fault("sparse map", entry)
    }
    return map
  }

  private func fault(_ what: String, _ entry: TarEntry) -> ImageError {
    ImageError(.malformed, "\(label): entry \(entry.path.printable) has an unusable \(what)")
  }
}

extension Sequence where Element == UInt8 {
  /// The bytes as text for messages: what is not printable ASCII is shown as `\xNN`, and no more
  /// than 200 bytes are shown.
  var printable: String {
    var text = ""
    for (index, byte) in enumerated() {
      if index == 200 { return text + "…" }
      if (0x20..<0x7f).contains(byte) {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += "\\x" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
      }
    }
    return "'\(text)'"
  }
}
