import ArcaBytes
import CArcaGuest

/// Devices of the kernel's device-mapper (linux/dm-ioctl.h).
enum DeviceMapper {
  private static let requestBytes = 4096
  /// The size of struct dm_ioctl, with which a request begins.
  private static let headerBytes = 312
  /// The size of struct dm_target_spec, behind which a target's table or state stands.
  private static let targetBytes = 40

  /// Makes the device `name` of one target, and returns the number N of its `/dev/dm-N`.
  ///
  /// The table is `before`, the key in hexadecimal, and `after`; no copy of the key stays behind.
  static func create(
    _ name: Text, _ type: Text, sectors: UInt64, isReadOnly: Bool, _ before: Text,
    key: [UInt8] = [], _ after: Text = ""
  ) throws(SystemError) -> Int32 {
    let flags = isReadOnly ? DM_READONLY_FLAG : 0
    var device = request(name, flags)
    try ask(DM_DEV_CREATE_CMD, &device)
    do throws(SystemError) {
      // The kernel wipes its copy of what comes with this flag.
      var load = request(name, flags | (key.isEmpty ? 0 : DM_SECURE_DATA_FLAG), targets: 1)
      defer { Crypto.wipe(&load) }
      load += zeros(8) + sectors.littleEndianBytes + zeros(8) + padded(type, 16) + before.utf8
      guard load.count + 2 * key.count + after.utf8.count < requestBytes else {
        throw SystemError(errno: E2BIG)
      }
      for byte in key {
        load.append(Hex.digit(byte >> 4))
        load.append(Hex.digit(byte & 15))
      }
      load += after.utf8
      try ask(DM_TABLE_LOAD_CMD, &load)
      // Resuming makes the loaded table the live one.
      var resume = request(name, flags)
      try ask(DM_DEV_SUSPEND_CMD, &resume)
    } catch {
      try? remove(name)
      throw error
    }
    // The minor number is in two parts of the device's.
    let number = Int32(truncatingIfNeeded: device[40..<44].littleEndian)
    return number & 0xff | number >> 12 & 0xfff00
  }

  static func remove(_ name: Text) throws(SystemError) {
    var request = request(name, 0)
    try ask(DM_DEV_REMOVE_CMD, &request)
  }

  /// Whether the dm-verity device `name` reports anything but that it is valid.
  static func isVerityCorrupted(_ control: Int32, _ name: Text) -> Bool {
    var status = request(name, 0)
    guard (try? ask(DM_TABLE_STATUS_CMD, &status, by: control)) != nil else { return true }
    let (start, targets) = (status[16..<20].littleEndian, status[20..<24].littleEndian)
    guard targets == 1, start < requestBytes - targetBytes else { return true }
    return status[Int(start) + targetBytes] != UInt8(ascii: "V")
  }

  static func control() throws(SystemError) -> Int32 {
    try System.open("/dev/mapper/control", O_RDWR)
  }

  /// A request about the device `name`, with room for all of it, so that growing leaves no copy.
  private static func request(_ name: Text, _ flags: Int32, targets: UInt32 = 0) -> [UInt8] {
    var request: [UInt8] = []
    request.reserveCapacity(requestBytes)
    for field in [
      UInt32(DM_VERSION_MAJOR), 0, 0, UInt32(requestBytes), UInt32(headerBytes), targets, 0,
      UInt32(flags), 0, 0, 0, 0,
    ] { request += field.littleEndianBytes }
    request += padded(name, 128)
    request += zeros(headerBytes - request.count)
    return request
  }

  /// Has the kernel do what is requested; its answer takes the request's place.
  private static func ask(
    _ command: Int, _ request: inout [UInt8], by line: Int32? = nil
  ) throws(SystemError) {
    let control = if let line { line } else { try control() }
    defer { if line == nil { System.close(control) } }
    request += zeros(requestBytes - request.count)
    let number = 3 << 30 | UInt(headerBytes) << 16 | UInt(DM_IOCTL) << 8 | UInt(command)
    // SAFETY: the kernel reads and writes no more than the size that the request states.
    try System.call(unsafe arca_ioctl(control, number, &request))
  }

  private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

  /// A C string in a field of `count` bytes.
  private static func padded(_ text: Text, _ count: Int) -> [UInt8] {
    let utf8 = text.utf8.prefix(count - 1)
    return utf8 + zeros(count - utf8.count)
  }
}

/// A disk that is read and written past the page cache, in whole blocks.
struct Disk {
  static let blockBytes = 4096

  private let fd: Int32

  init(_ path: Text) throws(SystemError) { fd = try System.open(path, O_RDWR | O_DIRECT) }

  /// The size of the disk `name` in sectors of 512 bytes; 0 where the kernel does not say.
  static func sectors(of name: Text) throws(SystemError) -> UInt64 {
    let text = try File.read("/sys/class/block/\(name)/size", bytesMax: 32)
    return Digits.number(text.prefix { $0 != UInt8(ascii: "\n") }, digitsMax: 19) ?? 0
  }

  func close() { System.close(fd) }

  func readBlock(at offset: UInt64) throws(SystemError) -> [UInt8] {
    // SAFETY: the place has the bytes that the call fills, and is freed once they are copied.
    let place = unsafe Self.place(Self.blockBytes)
    defer { unsafe place.deallocate() }
    let count = try System.call(unsafe pread(fd, place.baseAddress, place.count, Int(offset)))
    guard count == Self.blockBytes else { throw SystemError(errno: ENODATA) }
    return unsafe Array(place)
  }

  func write(_ bytes: [UInt8], at offset: UInt64) throws(SystemError) {
    // SAFETY: the place has the bytes that the call reads, and is freed behind it.
    let place = unsafe Self.place(bytes.count)
    defer { unsafe place.deallocate() }
    unsafe place.copyBytes(from: bytes)
    let count = try System.call(unsafe pwrite(fd, place.baseAddress, bytes.count, Int(offset)))
    guard count == bytes.count else { throw SystemError(errno: EIO) }
  }

  /// Memory as a disk that is read past the page cache demands it.
  private static func place(_ count: Int) -> UnsafeMutableRawBufferPointer {
    .allocate(byteCount: count, alignment: blockBytes)
  }

  func flush() throws(SystemError) { try System.call(fsync(fd)) }
}
