import ArcaBytes
import CArcaGuest

/// Devices of the kernel's device-mapper.
enum DeviceMapper {
  /// Makes the device `name` of one target, and returns the number N of its `/dev/dm-N`.
  ///
  /// The table is `before`, the key in hexadecimal, and `after`.
  static func create(
    _ name: String, _ type: String, sectors: UInt64, isReadOnly: Bool, _ before: String,
    key: [UInt8] = [], _ after: String = ""
  ) throws(SystemError) -> Int32 {
    // SAFETY: the C strings and the key live through the call.
    try System.check(
      unsafe arca_dm_create(
        name, type, sectors, isReadOnly ? 1 : 0, before, key, key.count, after))
  }

  static func remove(_ name: String) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try System.check(unsafe arca_dm_remove(name))
  }

  static func control() throws(SystemError) -> Int32 {
    try System.open("/dev/mapper/control", O_RDWR)
  }

  static func isVerityCorrupted(_ control: Int32, _ name: String) -> Bool {
    // SAFETY: the C string lives through the call.
    unsafe arca_verity_state(control, name) != Int32(UInt8(ascii: "V"))
  }
}

/// A disk that is read and written past the page cache, in whole blocks.
struct Disk {
  static let blockBytes = 4096

  private let fd: Int32

  init(_ path: String) throws(SystemError) { fd = try System.open(path, O_RDWR | O_DIRECT) }

  /// The size of the disk `name` in sectors of 512 bytes; 0 where the kernel does not say.
  static func sectors(of name: String) throws(SystemError) -> UInt64 {
    let text = try File.read("/sys/class/block/\(name)/size", bytesMax: 32)
    return Digits.number(text.prefix { $0 != UInt8(ascii: "\n") }, digitsMax: 19) ?? 0
  }

  func close() { System.close(fd) }

  func readBlock(at offset: UInt64) throws(SystemError) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: Self.blockBytes)
    // SAFETY: the call fills the block or fails.
    try System.check(unsafe arca_disk_read(fd, offset, &block, Self.blockBytes))
    return block
  }

  func write(_ bytes: [UInt8], at offset: UInt64) throws(SystemError) {
    // SAFETY: the array lives through the call, which reads its count.
    try System.check(unsafe arca_disk_write(fd, offset, bytes, bytes.count))
  }

  func flush() throws(SystemError) { try System.call(fsync(fd)) }
}

extension System {
  static func growExt4(_ path: String, blocks: UInt64) throws(SystemError) {
    // SAFETY: the C string lives through the call.
    try check(unsafe arca_ext4_resize(path, blocks))
  }
}
