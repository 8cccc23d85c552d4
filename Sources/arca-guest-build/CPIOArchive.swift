import Foundation

/// A "newc" cpio archive (Linux documentation, "initramfs buffer format"), the same for the same
/// content: every time is 0, every owner root, and inode numbers follow the order.
struct CPIOArchive {
  private var bytes = Data()
  private var inode = 0

  mutating func folder(_ path: String, mode: Int = 0o755) {
    append(path, mode: 0o040000 | mode, links: 2, content: Data())
  }

  mutating func file(_ path: String, mode: Int, _ content: Data) {
    append(path, mode: 0o100000 | mode, links: 1, content: content)
  }

  /// The whole archive with its trailer.
  func finished() -> Data {
    var copy = self
    copy.inode = -1
    copy.append("TRAILER!!!", mode: 0, links: 1, content: Data())
    copy.pad(to: 512)
    return copy.bytes
  }

  private mutating func append(_ path: String, mode: Int, links: Int, content: Data) {
    inode += 1
    let fields = [
      inode, mode, 0, 0, links, 0, content.count, 0, 0, 0, 0, path.utf8.count + 1, 0,
    ]
    var header = "070701"
    for field in fields {
      let digits = String(field, radix: 16, uppercase: true)
      header += String(repeating: "0", count: 8 - digits.count) + digits
    }
    bytes += Data(header.utf8) + Data(path.utf8) + Data([0])
    pad(to: 4)
    bytes += content
    pad(to: 4)
  }

  private mutating func pad(to multiple: Int) {
    while bytes.count % multiple != 0 { bytes.append(0) }
  }
}
