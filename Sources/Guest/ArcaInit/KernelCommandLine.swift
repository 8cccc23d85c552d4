import ArcaWire

/// What the measured kernel command line says.
enum KernelCommandLine {
  /// What follows `key`, which must occur once.
  static func value(of key: String) throws(InitError) -> [UInt8] {
    let path = "/proc/cmdline"
    let text = try attempt(.environment, path, File.read(path, bytesMax: 4096))
    let name = Array(key.utf8)
    var found: [UInt8] = []
    for word in text.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") })
    where word.starts(with: name) {
      guard found.isEmpty else { throw InitError(.environment, "\(key) is given twice") }
      found = Array(word.dropFirst(name.count))
    }
    guard !found.isEmpty else {
      throw InitError(.environment, "the kernel command line has no \(key)")
    }
    return found
  }
}
