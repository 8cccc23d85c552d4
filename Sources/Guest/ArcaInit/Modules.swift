import ArcaWire
import CArcaGuest

/// The kernel modules of the initrd, in the order that their list gives.
enum Modules {
  static let folder = "/modules"

  private static let partMark = UInt8(ascii: "+")

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
      guard words.contains(where: { $0.first == partMark }) else { return }
      if words.contains(where: { word in parts.contains { same("+\($0)".utf8, word) } }) {
        do throws(SystemError) { try System.loadModule(path, isPacked: true) } catch {
          // It is of instructions that the CPU lacks; another module does the work then.
          if error.errno != ENODEV { throw error }
        }
      }
      try System.unlink(path)
    }
  }

  /// Calls `body` with what follows the name on each line, and the module's file.
  private static func forEach(
    _ body: ([ArraySlice<UInt8>], String) throws(SystemError) -> Void
  ) throws(InitError) {
    let lines = try attempt(
      .module, "list of modules", File.read("\(folder)/list", bytesMax: 4096))
    for line in lines.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " "))
      guard let name = words.first else { continue }
      let path = "\(folder)/\(String(decoding: name, as: UTF8.self)).ko"
      try attempt(.module, path, body(Array(words.dropFirst()), path))
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
    let fd = try System.open(path, O_RDONLY)
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
    let fd = try System.open(path, O_WRONLY | O_CREAT, mode: mode)
    defer { System.close(fd) }
    var start = 0
    while start < content.count { start += try System.write(fd, content, from: start) }
  }
}
