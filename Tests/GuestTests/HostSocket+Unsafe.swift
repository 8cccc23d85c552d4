import Glibc

/// The host's end of the channel: a Unix socket to which QEMU connects.
struct HostSocket {
  private let listener: Int32
  private(set) var connection: Int32 = -1

  init?(path: String) {
    listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard listener >= 0, bytes.count < 108 else { return nil }
    // SAFETY: the path is shorter than the field, which starts as zeros; the address lives through
    // the call and is passed with its own size.
    let bound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe withUnsafeMutableBytes(of: &pointer.pointee.sun_path) { field in
        unsafe field.copyBytes(from: bytes)
      }
      return unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard bound == 0, listen(listener, 1) == 0 else { return nil }
  }

  /// Waits for QEMU; false after `milliseconds`.
  mutating func accept(milliseconds: Int32) -> Bool {
    guard Self.wait(listener, Int16(POLLIN), milliseconds) else { return false }
    connection = Glibc.accept(listener, nil, nil)
    return connection >= 0
  }

  /// Sends as much as the guest takes within `milliseconds`; false where it does not take all.
  func send(_ bytes: [UInt8], milliseconds: Int32) -> Bool {
    var start = 0
    while start < bytes.count {
      guard Self.wait(connection, Int16(POLLOUT), milliseconds) else { return false }
      // SAFETY: `start` is within the buffer and the call reads to its end at most.
      let sent = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.send(
          connection, buffer.baseAddress.map { unsafe $0 + start }, buffer.count - start,
          Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      }
      if sent < 0 { return false }
      start += sent
    }
    return true
  }

  /// What has come; empty once the other end is closed, nil after `milliseconds`.
  func receive(milliseconds: Int32) -> [UInt8]? {
    guard Self.wait(connection, Int16(POLLIN), milliseconds) else { return nil }
    // SAFETY: the call writes at most the capacity and says how many.
    return unsafe [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
      count = max(0, unsafe recv(connection, buffer.baseAddress, buffer.count, 0))
    }
  }

  func close() {
    for fd in [connection, listener] where fd >= 0 { _ = Glibc.close(fd) }
  }

  private static func wait(_ fd: Int32, _ events: Int16, _ milliseconds: Int32) -> Bool {
    var item = pollfd(fd: fd, events: events, revents: 0)
    // SAFETY: the one item lives through the call.
    return unsafe poll(&item, 1, milliseconds) == 1
  }
}
