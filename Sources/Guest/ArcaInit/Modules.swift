import ArcaWire

/// The kernel modules of the initrd, in the order that their list gives.
enum Modules {
  static let folder = "/modules"

  /// Loads every module whose line names no kind of TEE or names `kind`.
  ///
  /// Each file is removed once it is loaded, since the initrd's files take up memory.
  static func load(for kind: [UInt8]) throws(InitError) {
    let lines: [UInt8]
    do {
      lines = try File.read("\(folder)/list", bytesMax: 4096)
    } catch {
      throw error.named(.module, "list of modules")
    }
    for line in lines.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " "))
      guard let name = words.first else { continue }
      let path = "\(folder)/\(String(decoding: name, as: UTF8.self)).ko"
      do {
        if words.count == 1 || words.dropFirst().contains(where: { same($0, kind) }) {
          try System.loadModule(path)
        }
        try System.unlink(path)
      } catch {
        throw error.named(.module, path)
      }
    }
  }
}

/// Bytewise equality.
func same<A: Collection, B: Collection>(_ a: A, _ b: B) -> Bool
where A.Element == UInt8, B.Element == UInt8 {
  a.count == b.count && a.elementsEqual(b)
}

/// Small files read whole.
enum File {
  static func read(_ path: String, bytesMax: Int) throws(SystemError) -> [UInt8] {
    let fd = try System.openForReading(path)
    defer { System.close(fd) }
    var content: [UInt8] = []
    while content.count < bytesMax {
      let part = try System.read(fd, bytesMax - content.count)
      if part.isEmpty { break }
      content += part
    }
    return content
  }

  static func write(_ path: String, _ content: [UInt8], mode: UInt32) throws(SystemError) {
    let fd = try System.create(path, mode: mode)
    defer { System.close(fd) }
    var start = 0
    while start < content.count { start += try System.write(fd, content, from: start) }
  }
}
