/// The last lines of the guest's serial console and of QEMU's own messages.
package struct ConsoleTail: Sendable {
  package init() {}

  package static let linesMax = 40
  static let lineBytesMax = 256

  package private(set) var lines: [String] = []
  private var line: [UInt8] = []

  /// The line that says why the guest's kernel panicked, once there is one.
  private(set) var panic: String?
  /// The line in which dm-verity or EROFS found the root file system changed.
  private(set) var corruption: String?

  package mutating func append(_ bytes: [UInt8]) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        end()
      } else if byte != UInt8(ascii: "\r"), line.count < Self.lineBytesMax {
        line.append(byte)
      }
    }
  }

  /// Takes an unfinished line as one, when nothing more will come.
  mutating func end() {
    defer { line.removeAll(keepingCapacity: true) }
    guard !line.isEmpty else { return }
    let text = printable(line)
    if lines.count == Self.linesMax { lines.removeFirst() }
    lines.append(text)
    if panic == nil, text.contains("Kernel panic - not syncing") { panic = text }
    if corruption == nil, text.contains("verity"), text.contains("corrupt") { corruption = text }
  }

  /// The error that the console explains, or nil where it says nothing of that kind.
  package var error: TEEError? {
    if let corruption {
      return TEEError(
        .rootFilesystemChanged,
        "root file system: the guest read a block that does not match the verity tree "
          + "(\(corruption)); the image in the store was changed: remove and prepare it again")
    }
    guard let panic else { return nil }
    return TEEError(.kernelPanic, "the guest's kernel panicked: \(panic)")
  }

  /// The last `count` lines on one.
  func last(_ count: Int) -> String { lines.suffix(count).joined(separator: " | ") }
}
