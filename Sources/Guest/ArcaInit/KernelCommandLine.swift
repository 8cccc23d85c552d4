import ArcaWire

/// What the measured kernel command line says.
struct KernelCommandLine {
  /// The kind of TEE, from `arca.tee=`.
  let kind: [UInt8]

  init() throws(InitError) {
    kind = try Self.value(of: "arca.tee=")
  }

  /// What follows `key`, which must occur once.
  static func value(of key: String) throws(InitError) -> [UInt8] {
    let text: [UInt8]
    do {
      text = try File.read("/proc/cmdline", bytesMax: 4096)
    } catch {
      throw error.named(.environment, "/proc/cmdline")
    }
    let name = Array(key.utf8)
    var found: [UInt8] = []
    for word in text.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") })
    where same(word.prefix(name.count), name) {
      guard found.isEmpty else { throw InitError(.environment, "\(key) is given twice") }
      found = Array(word.dropFirst(name.count))
    }
    guard !found.isEmpty else {
      throw InitError(.environment, "the kernel command line has no \(key)")
    }
    return found
  }
}
