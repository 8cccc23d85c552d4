/// Appends the entries of a tar stream to a file (POSIX.1-2017 pax, "ustar Interchange Format");
/// owner, times and modes are fixed, so that equal contents are equal bytes.
struct TarOutput {
  private static let octalSizeMax: UInt64 = 0o777_7777_7777

  /// What entries are appended to, after what it already holds.
  let file: DataFile

  /// Appends a folder; `path` ends in a slash.
  func folder(_ path: String) throws(ImageError) {
    try append(Self.header(path, type: "5", mode: "0000755", byteCount: 0)[...])
  }

  /// Appends a file of `content`.
  func file(_ path: String, _ content: [UInt8]) throws(ImageError) {
    try append(Self.header(path, type: "0", mode: "0000644", byteCount: UInt64(content.count))[...])
    try append(content[...])
    try pad(UInt64(content.count))
  }

  /// Appends a file with the bytes of `source`.
  func file(_ path: String, copying source: any ByteSource) throws(ImageError) {
    let byteCount = source.byteCount
    try append(Self.header(path, type: "0", mode: "0000644", byteCount: byteCount)[...])
    try source.forEachChunk { (chunk) throws(ImageError) in try append(chunk[...]) }
    try pad(byteCount)
  }

  /// Appends the end mark.
  func finish() throws(ImageError) {
    try append([UInt8](repeating: 0, count: 2 * TarHeader.blockBytes)[...])
  }

  private func append(_ bytes: ArraySlice<UInt8>) throws(ImageError) {
    try file.write(bytes, at: file.byteCount)
  }

  private func pad(_ byteCount: UInt64) throws(ImageError) {
    let over = Int(byteCount % UInt64(TarHeader.blockBytes))
    if over > 0 {
      try append([UInt8](repeating: 0, count: TarHeader.blockBytes - over)[...])
    }
  }

  private static func header(_ path: String, type: String, mode: String, byteCount: UInt64)
    -> [UInt8]
  {
    var block = [UInt8](repeating: 0, count: TarHeader.blockBytes)
    func put(_ text: String, at start: Int) {
      block.replaceSubrange(start..<start + text.utf8.count, with: text.utf8)
    }
    func octal(_ value: UInt64, digits: Int) -> String {
      let text = String(value, radix: 8)
      return String(repeating: "0", count: digits - text.utf8.count) + text
    }
    put(path, at: 0)
    put(mode, at: 100)
    for start in [108, 116] { put("0000000", at: start) }
    if byteCount <= octalSizeMax {
      put(octal(byteCount, digits: 11), at: 124)
    } else {
      // GNU's form for numbers that do not fit into octal digits.
      block[124] = 0x80
      for index in 0..<8 { block[128 + index] = UInt8(byteCount >> UInt64(56 - 8 * index) & 0xff) }
    }
    put("00000000000", at: 136)
    put("        ", at: 148)
    put(type, at: 156)
    put("ustar\u{0}00", at: 257)
    put(octal(block.reduce(0) { $0 + UInt64($1) }, digits: 6) + "\u{0} ", at: 148)
    return block
  }
}

extension ByteSource {
  /// Hands out all bytes in order; fails where fewer are there than the size says.
  func forEachChunk(_ body: ([UInt8]) throws(ImageError) -> Void) throws(ImageError) {
    let total = byteCount
    var offset: UInt64 = 0
    while offset < total {
      let chunk = try read(at: offset, count: Int(min(total - offset, 1 << 20)))
      guard !chunk.isEmpty else {
        throw ImageError(.truncated, "\(name): ends after \(offset) of \(total) bytes")
      }
      try body(chunk)
      offset += UInt64(chunk.count)
    }
  }
}
