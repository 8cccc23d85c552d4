import ArcaWire

/// The kernel modules of the initrd, in the order that their list gives.
enum Modules {
  static let folder = "/modules"

  private static let partMark = UInt8(ascii: "+")
  /// What a module of instructions that the CPU lacks answers; another module does the work then.
  private static let noDevice: Int32 = 19

  /// Loads every module whose line names neither a kind of TEE nor a part of a manifest, or names
  /// `kind`.
  ///
  /// Each file is removed once it is loaded, since the initrd's files take up memory.
  static func load(for kind: [UInt8]) throws(InitError) {
    try forEach { (words, path) throws(SystemError) in
      if words.contains(where: { $0.first == partMark }) { return }
      if words.isEmpty || words.contains(where: { same($0, kind) }) {
        try System.loadModule(path, isPacked: !words.isEmpty)
      }
      try System.unlink(path)
    }
  }

  /// Loads the modules of which a line names one of `parts`, and removes all that are left.
  static func load(parts: [String]) throws(InitError) {
    try forEach { (words, path) throws(SystemError) in
      let named = words.filter { $0.first == partMark }
      if named.isEmpty { return }
      if named.contains(where: { word in
        parts.contains { same($0.utf8, word.dropFirst()) }
      }) {
        do throws(SystemError) {
          try System.loadModule(path, isPacked: true)
        } catch {
          if error.errno != noDevice { throw error }
        }
      }
      try System.unlink(path)
    }
  }

  /// Calls `body` with what follows the name on each line, and the module's file.
  private static func forEach(
    _ body: ([ArraySlice<UInt8>], String) throws(SystemError) -> Void
  ) throws(InitError) {
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
        try body(Array(words.dropFirst()), path)
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
