import ArcaBytes
import Foundation

/// An empty ext4 file system, which the guest writes to a new volume and then grows to its size.
///
/// The same options give the same bytes; so the guest needs no mkfs of its own.
enum VolumeTemplate {
  private static let bytes = 32 << 20
  private static let unitBytes = 512
  /// 1 TiB in blocks: descriptors for as many are kept free.
  private static let blocksMax = 1 << 28

  /// The parts that are not zero: first unit, count of units (32-bit little-endian each), bytes.
  static func build() throws(BuildError) -> Data {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try Disk.makeFolder(folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "ext4")
    // A profile of its own, so that none of the machine's defaults go in.
    let configuration = folder.appending(path: "mke2fs.conf")
    try Disk.write(
      Data("[fs_types]\n\text4 = {\n\t\tfeatures = has_journal\n\t}\n".utf8), to: configuration)
    let uuid = "61726361-0000-4000-8000-766f6c756d65"
    // metadata_csum would have the kernel read what was never written when the file system grows;
    // every block is authenticated anyway.
    let features =
      "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,"
      + "large_file,huge_file,dir_nlink,extra_isize,uninit_bg"
    _ = try Tool.run([
      "PATH=/usr/sbin:/sbin:/usr/bin:/bin", "E2FSPROGS_FAKE_TIME=1",
      "MKE2FS_CONFIG=\(configuration.path)", "mke2fs", "-q", "-t", "ext4", "-T", "ext4", "-O",
      features, "-b", "4096", "-I", "256", "-N", "8192",
      "-m", "0", "-J", "size=8", "-U", uuid, "-E",
      "hash_seed=\(uuid),resize=\(blocksMax),lazy_itable_init=0,lazy_journal_init=0,nodiscard,"
        + "root_owner=0:0",
      file.path, "\(bytes >> 10)k",
    ])
    let image = try Disk.read(file)
    guard image.count == bytes else {
      throw BuildError(.tool, "mke2fs made \(image.count) bytes, expected \(bytes)")
    }
    return encode([UInt8](image))
  }

  private static func encode(_ image: [UInt8]) -> Data {
    var writer = ByteWriter()
    var unit = 0
    let units = image.count / unitBytes
    func isZero(_ unit: Int) -> Bool {
      image[unit * unitBytes..<(unit + 1) * unitBytes].allSatisfy { $0 == 0 }
    }
    while unit < units {
      var end = unit
      while end < units, !isZero(end) { end += 1 }
      if end > unit {
        writer.u32(UInt32(unit))
        writer.u32(UInt32(end - unit))
        writer.append(Array(image[unit * unitBytes..<end * unitBytes]))
      }
      unit = end + 1
    }
    return Data(writer.bytes)
  }
}
