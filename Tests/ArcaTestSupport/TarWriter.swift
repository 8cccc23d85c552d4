import ArcaBytes

/// Makes tar streams for tests: ustar, with pax headers where ustar has no room.
public struct TarWriter {
  /// What has been written so far.
  public private(set) var bytes: [UInt8] = []

  /// Starts an empty stream.
  public init() {}

  /// Appends one entry of the type flag `type`, such as `"0"` for a file.
  ///
  /// `attributes` are extended attributes by full name, `records` further pax records.
  public mutating func add(
    _ path: String, type: Character = "0", content: [UInt8] = [], mode: Int = 0o644, uid: Int = 0,
    gid: Int = 0, modified: Int = 1_600_000_000, link: String = "", device: (Int, Int) = (0, 0),
    attributes: [String: [UInt8]] = [:], records: [(String, [UInt8])] = []
  ) {
    var pax = records
    if path.utf8.count > 100 { pax.append(("path", Array(path.utf8))) }
    if link.utf8.count > 100 { pax.append(("linkpath", Array(link.utf8))) }
    if uid > 0o7777777 { pax.append(("uid", Array("\(uid)".utf8))) }
    if gid > 0o7777777 { pax.append(("gid", Array("\(gid)".utf8))) }
    for (name, value) in attributes.sorted(by: { $0.key < $1.key }) {
      pax.append(("SCHILY.xattr.\(name)", value))
    }
    if !pax.isEmpty {
      let body = pax.flatMap { Self.record($0.0, $0.1) }
      header("PaxHeader", "x", body.count, 0o644, 0, 0, 0, "", (0, 0))
      data(body)
    }
    header(
      path, type, content.count, mode, uid > 0o7777777 ? 0 : uid, gid > 0o7777777 ? 0 : gid,
      modified, link, device)
    data(content)
  }

  /// Appends a folder.
  public mutating func directory(_ path: String, mode: Int = 0o755) {
    add(path, type: "5", mode: mode)
  }

  /// Appends `block` as it is.
  public mutating func raw(_ block: [UInt8]) { bytes += block }

  /// The stream with its end marker.
  public func finished() -> [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

  /// A pax record with its own length in front.
  public static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
    let body = Array(" \(key)=".utf8) + value + [0x0a]
    var length = body.count + 1
    while "\(length)".utf8.count + body.count != length {
      length = "\(length)".utf8.count + body.count
    }
    return Array("\(length)".utf8) + body
  }

  private mutating func data(_ content: [UInt8]) {
    bytes += content
    bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
  }

  private mutating func header(
    _ path: String, _ type: Character, _ size: Int, _ mode: Int, _ uid: Int, _ gid: Int,
    _ modified: Int, _ link: String, _ device: (Int, Int)
  ) {
    var block = [UInt8](repeating: 0, count: 512)
    func put(_ text: [UInt8], at start: Int, room: Int) {
      for (index, byte) in text.prefix(room).enumerated() { block[start + index] = byte }
    }
    func octal(_ value: Int, at start: Int, room: Int) {
      let digits = String(value, radix: 8)
      let padded = String(repeating: "0", count: max(0, room - 1 - digits.count)) + digits
      put(Array(padded.utf8), at: start, room: room)
    }
    put(Array(path.utf8), at: 0, room: 100)
    octal(mode, at: 100, room: 8)
    octal(uid, at: 108, room: 8)
    octal(gid, at: 116, room: 8)
    octal(size, at: 124, room: 12)
    octal(modified, at: 136, room: 12)
    put(Array(repeating: 0x20, count: 8), at: 148, room: 8)
    put(Array("\(type)".utf8), at: 156, room: 1)
    put(Array(link.utf8), at: 157, room: 100)
    put(Array("ustar\0".utf8) + Array("00".utf8), at: 257, room: 8)
    octal(device.0, at: 329, room: 8)
    octal(device.1, at: 337, room: 8)
    octal(block.reduce(0) { $0 + Int($1) }, at: 148, room: 7)
    block[155] = 0x20
    bytes += block
  }
}
