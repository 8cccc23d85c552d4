import Glibc

extension System {
  /// A socket that listens at `port` of 127.0.0.1.
  static func listen(loopback port: UInt16) throws(TEEError) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw TEEError(.system, "socket", systemError: errno) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    // SAFETY: bind reads one address of the length that is given; both live through the call.
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        unsafe bind(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0, Glibc.listen(descriptor, 1) == 0 else {
      let failure = errno
      close(descriptor)
      throw TEEError(.system, "listen at 127.0.0.1:\(port)", systemError: failure)
    }
    return descriptor
  }

  /// The next connection to `listener`, which does not block.
  static func accept(_ listener: Int32) throws(TEEError) -> Int32 {
    let descriptor = Glibc.accept(listener, nil, nil)
    guard descriptor >= 0 else { throw TEEError(.system, "accept", systemError: errno) }
    setNonBlocking(descriptor)
    return descriptor
  }
}
