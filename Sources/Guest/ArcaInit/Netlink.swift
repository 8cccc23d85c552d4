import ArcaBytes
import CArcaGuest

/// A message to the kernel by netlink(7): a header of the family's, and attributes.
struct Netlink {
  private static let headerBytes = 16
  private static let answerBytes = 4096

  /// Room for the longest message, so that no copy of a key is left behind by growing.
  private static let messageBytes = 1024

  private var message: [UInt8] = []

  /// Begins a message of a type, with the header of the family's.
  init(_ type: Int, _ flags: Int32, _ header: [UInt8]) {
    message.reserveCapacity(Self.messageBytes)
    message += [0, 0, 0, 0] + UInt16(type).littleEndianBytes
    message += UInt16(NLM_F_REQUEST | flags).littleEndianBytes + UInt64(0).littleEndianBytes
    message += header
  }

  /// Appends an attribute.
  mutating func add(_ type: Int, _ data: [UInt8]) {
    message += UInt16(4 + data.count).littleEndianBytes + UInt16(type).littleEndianBytes
    message += data
    while message.count % 4 != 0 { message.append(0) }
  }

  mutating func add<Number: FixedWidthInteger>(_ type: Int, _ number: Number) {
    add(type, number.littleEndianBytes)
  }

  /// Appends a C string.
  mutating func add(_ type: Int, _ text: Text) { add(type, text.utf8 + [0]) }

  /// Appends an attribute that holds those that `body` appends.
  mutating func nest(_ type: Int, _ body: (inout Netlink) -> Void) {
    let start = message.count
    add(type | Int(NLA_F_NESTED), [])
    body(&self)
    message.replaceSubrange(
      start..<start + 2, with: UInt16(message.count - start).littleEndianBytes)
  }

  /// Sends it by a protocol of netlink, and wipes it; the answer, or acknowledgement, is the
  /// caller's to wipe where it holds a key.
  @discardableResult
  consuming func send(by line: Int32 = NETLINK_ROUTE) throws(SystemError) -> [UInt8] {
    var request = message
    message = []
    defer { Crypto.wipe(&request) }
    request.replaceSubrange(0..<4, with: UInt32(request.count).littleEndianBytes)
    let fd = try System.call(socket(AF_NETLINK, Int32(SOCK_RAW | SOCK_CLOEXEC), line))
    defer { System.close(fd) }
    _ = try System.write(fd, request, from: 0)
    let answer = try System.read(fd, Self.answerBytes)
    guard answer.count >= Self.headerBytes + 4 else { throw SystemError(errno: EIO) }
    if answer[4..<6].littleEndian == UInt64(NLMSG_ERROR) {
      let errno = 0 &- Int32(truncatingIfNeeded: answer[16..<20].littleEndian)
      guard errno == 0 else { throw SystemError(errno: errno) }
    }
    return answer
  }

  /// The attribute of `type` in an answer, behind the family's header of 4 bytes.
  static func find(_ type: Int, in answer: [UInt8]) throws(SystemError) -> [UInt8] {
    var rest = answer.dropFirst(headerBytes + 4)
    while rest.count >= 4 {
      let count = Int(rest.prefix(2).littleEndian)
      guard count >= 4, count <= rest.count else { break }
      if Int(rest.dropFirst(2).prefix(2).littleEndian & 0x3fff) == type {
        return Array(rest.prefix(count).dropFirst(4))
      }
      rest = rest.dropFirst((count + 3) & ~3)
    }
    throw SystemError(errno: ENOENT)
  }
}

/// Constants of the kernel's enumerations, which Swift has as types of their own.
func number<Enumeration: RawRepresentable>(_ constant: Enumeration) -> Int
where Enumeration.RawValue == UInt32 { Int(constant.rawValue) }
