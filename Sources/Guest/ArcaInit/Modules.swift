import ArcaBytes
import ArcaWire
import CArcaGuest

/// The kernel modules of the initrd, in the order that their list gives.
enum Modules {
  static let folder = "/modules"

  private static let partMark = UInt8(ascii: "+")

  /// Loads every module whose line names nothing else, or one of `names`: of the modules for parts
  /// of a manifest, or of the others, which are for every start or for a kind of TEE.
  ///
  /// Each of their files is removed then, since the initrd's files take up memory.
  static func load(_ names: [[UInt8]], ofParts: Bool) throws(InitError) {
    let lines = try attempt(
      .module, "list of modules", File.read("\(folder)/list", bytesMax: 4096))
    for line in lines.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " "))
      guard let name = words.first, words.contains(where: { $0.first == partMark }) == ofParts
      else { continue }
      let path = "\(folder)/\(name).ko"
      let isForAll = words.count == 1
      let isWanted = isForAll || names.contains { words.dropFirst().contains($0[...]) }
      try step(.module, path) { () throws(SystemError) in
        do throws(SystemError) {
          if isWanted { try System.loadModule(path, isPacked: !isForAll) }
        } catch {
          // A part's can be of instructions that the CPU lacks; another module does the work then.
          if !ofParts || error.errno != ENODEV { throw error }
        }
        try System.unlink(path)
      }
    }
  }
}

/// Small files read whole.
enum File {
  /// Of the names in `folder` the first whose file `attribute` says what is wanted.
  static func find(
    in folder: Text, by attribute: Text, _ isWanted: ([UInt8]) -> Bool
  ) throws(SystemError) -> Text? {
    for name in try System.list(folder) {
      let text = (try? read("\(folder)/\(name)/\(attribute)", bytesMax: 64)) ?? []
      if isWanted(Array(text.prefix { $0 != UInt8(ascii: "\n") && $0 != 0 })) { return name }
    }
    return nil
  }

  static func read(_ path: Text, bytesMax: Int) throws(SystemError) -> [UInt8] {
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

  static func write(_ path: Text, _ content: [UInt8], mode: UInt32) throws(SystemError) {
    let fd = try System.open(path, O_WRONLY | O_CREAT, mode: mode)
    defer { System.close(fd) }
    var start = 0
    while start < content.count { start += try System.write(fd, content, from: start) }
  }
}
