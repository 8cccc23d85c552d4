import Glibc
import TEEEvidence

/// Speaks QEMU's machine protocol over a connected socket: one command at a time, its answer next.
///
/// QEMU belongs to the host, which is not trusted with anything that these answers decide: the
/// owner compares the measurement, and the security processor opens the secret.
package struct QMPClient {
  private static let lineBytesMax = 1 << 20
  private let descriptor: Int32
  private let timeoutMilliseconds: Int32
  private var received: [UInt8] = []

  /// What `query-sev` says.
  package struct Platform: Sendable, Equatable {
    /// Version of the processor's interface, and its firmware's build.
    package var api: (major: UInt8, minor: UInt8, build: UInt8) = (0, 0, 0)
    /// The guest policy.
    package var policy: UInt32 = 0

    package static func == (a: Platform, b: Platform) -> Bool {
      a.api == b.api && a.policy == b.policy
    }
  }

  /// Waits for the greeting and leaves the negotiation.
  package init(_ descriptor: Int32, timeoutMilliseconds: Int32 = 30_000) throws(TEEError) {
    self.descriptor = descriptor
    self.timeoutMilliseconds = timeoutMilliseconds
    let greeting = try line()
    guard Self.member("QMP", of: greeting) != nil else {
      throw Self.fault("not a greeting: \(printable(greeting.prefix(80)))")
    }
    _ = try execute("qmp_capabilities")
  }

  /// The platform's version and the guest's policy.
  package mutating func platform() throws(TEEError) -> Platform {
    let answer = try execute("query-sev")
    var platform = Platform()
    platform.api = (
      UInt8(try Self.number("api-major", 255, answer)),
      UInt8(try Self.number("api-minor", 255, answer)),
      UInt8(try Self.number("build-id", 255, answer))
    )
    platform.policy = UInt32(try Self.number("policy", UInt64(UInt32.max), answer))
    return platform
  }

  /// The launch's measurement and nonce, 48 bytes.
  package mutating func launchMeasurement() throws(TEEError) -> [UInt8] {
    let answer = try execute("query-sev-launch-measure")
    guard let value = Self.member("data", of: answer) else {
      throw Self.fault("query-sev-launch-measure gave no data")
    }
    var reader = JSONReader(Array(value))
    guard let text = try? reader.string(),
      let blob = decodedBase64(String(decoding: text, as: UTF8.self)), blob.count == 48
    else { throw Self.fault("query-sev-launch-measure: expected 48 bytes in Base64") }
    return blob
  }

  /// Hands the owner's packet to the security processor, which writes it into the guest.
  package mutating func inject(header: [UInt8], secret: [UInt8]) throws(TEEError) {
    _ = try execute(
      "sev-inject-launch-secret",
      "{\"packet-header\":\"\(base64(header))\",\"secret\":\"\(base64(secret))\"}")
  }

  /// Lets the guest run.
  package mutating func resume() throws(TEEError) { _ = try execute("cont") }

  /// The value of `return`, JSON.
  private mutating func execute(
    _ command: String, _ arguments: String? = nil
  ) throws(TEEError) -> [UInt8] {
    let members = arguments.map { ",\"arguments\":\($0)" } ?? ""
    try System.writeAll(descriptor, Array("{\"execute\":\"\(command)\"\(members)}\n".utf8))
    while true {
      let answer = try line()
      if let value = Self.member("return", of: answer) { return Array(value) }
      if let error = Self.member("error", of: answer) {
        throw Self.fault("\(command): \(printable(error))")
      }
      // What is neither is an event.
      guard Self.member("event", of: answer) != nil else {
        throw Self.fault("\(command): not an answer: \(printable(answer.prefix(200)))")
      }
    }
  }

  private mutating func line() throws(TEEError) -> [UInt8] {
    while true {
      if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(received[..<end])
        received.removeFirst(end + 1)
        return line
      }
      guard received.count <= Self.lineBytesMax else { throw Self.fault("a line without an end") }
      var waits = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
      try System.poll(&waits, timeoutMilliseconds: timeoutMilliseconds)
      guard waits[0].revents != 0 else { throw Self.fault("no answer") }
      var chunk: [UInt8] = []
      switch try System.read(descriptor, into: &chunk, max: 1 << 16) {
      case .bytes: received += chunk
      case .wouldBlock: break
      case .end: throw Self.fault("QEMU ended")
      }
    }
  }

  /// The bytes of the member `name` of a JSON object, or nil.
  private static func member(_ name: String, of object: [UInt8]) -> ArraySlice<UInt8>? {
    do throws(EvidenceError) {
      var reader = JSONReader(object)
      try reader.beginObject()
      var found: Range<Int>?
      while let key = try reader.nextKey() {
        let value = try reader.skipValue()
        if key == JSONKey(name) { found = value }
      }
      try reader.expectEnd()
      return found.map { object[$0] }
    } catch {
      return nil
    }
  }

  private static func number(
    _ name: String, _ bound: UInt64, _ object: [UInt8]
  ) throws(TEEError) -> UInt64 {
    if let value = member(name, of: object) {
      var reader = JSONReader(Array(value))
      if let number = try? reader.integer(max: bound) { return number }
    }
    throw fault("query-sev: \(name) is missing or above \(bound)")
  }

  private static func fault(_ text: String) -> TEEError {
    TEEError(.vmm, "QEMU's monitor: \(text)")
  }
}
