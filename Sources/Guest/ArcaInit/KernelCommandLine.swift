import ArcaWire

/// What the measured kernel command line says.
struct KernelCommandLine {
  /// The kind of TEE, from `arca.tee=`.
  let kind: [UInt8]

  init() throws(InitError) {
    let text: [UInt8]
    do {
      text = try File.read("/proc/cmdline", bytesMax: 4096)
    } catch {
      throw error.named(.environment, "/proc/cmdline")
    }
    let key = Array("arca.tee=".utf8)
    var found: [UInt8] = []
    for word in text.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") })
    where same(word.prefix(key.count), key) {
      guard found.isEmpty else { throw InitError(.environment, "arca.tee= is given twice") }
      found = Array(word.dropFirst(key.count))
    }
    guard !found.isEmpty else {
      throw InitError(.environment, "the kernel command line has no arca.tee=")
    }
    kind = found
  }
}
