import ArcaBytes
import ArcaWire

/// What the measured kernel command line says.
enum KernelCommandLine {
  /// What follows `key`, which must occur once.
  static func value(of key: Text) throws(InitError) -> [UInt8] {
    let path = "/proc/cmdline"
    let text = try attempt(.environment, path, File.read(path, bytesMax: 4096))
    let words = text.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
    let values = words.filter { $0.starts(with: key.utf8) }.map { $0.dropFirst(key.utf8.count) }
    guard values.count < 2 else { throw InitError(.environment, "\(key) is given twice") }
    guard let value = values.first, !value.isEmpty else {
      throw InitError(.environment, "the kernel command line has no \(key)")
    }
    return Array(value)
  }
}
