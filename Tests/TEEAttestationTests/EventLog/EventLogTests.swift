import ArcaBytes
import ArcaTestSupport
import Crypto
import Foundation
import TEEAttestation
import TEEEvidence
import Testing

@Suite struct EventLogTests {
  static let names =
    (try? FileManager.default.contentsOfDirectory(
      atPath: VectorFolder.path + "/launch/eventlog"))?.sorted() ?? []

  @Test(.enabled(if: VectorFolder.isPresent), arguments: names)
  func `a log replays to its registers`(_ name: String) throws {
    let folder = "launch/eventlog/\(name)"
    let bytes = try #require(VectorFolder.file("\(folder)/vector.json"))
    let vector = try #require(
      JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    let log =
      try VectorFolder.file("\(folder)/ccel.bin").map { try EventLog(ccel: $0) }
      ?? EventLog(json: try #require(VectorFolder.file("\(folder)/event_log.json")))
    let registers = log.replay().map { Hex.encode($0) }
    #expect(registers == vector["rtmr"] as? [String])
    if let count = vector["events"] as? Int { #expect(log.events.count == count) }
    guard let quoted = VectorFolder.file("\(folder)/quote.bin"),
      let matches = vector["replay_matches_quote"] as? [Bool]
    else { return }
    guard case .tdx(let report) = try Quote(quoted).body else {
      Issue.record("not a TD quote")
      return
    }
    #expect(zip(report.rtmrs, log.replay()).map { $0 == $1 } == matches)
  }

  @Test func `events are extended in order into their registers`() throws {
    let first = [UInt8](repeating: 1, count: 48)
    let second = [UInt8](repeating: 2, count: 48)
    var bytes = Self.header()
    Self.append(&bytes, register: 1, type: 0x8000_0001, digest: first)
    Self.append(&bytes, register: 0, type: 1, digest: second)
    Self.append(&bytes, register: 1, type: EventLog.noAction, digest: second)
    Self.append(&bytes, register: 4, type: 6, digest: first)
    Self.append(&bytes, register: 1, type: 6, digest: second)
    bytes += [UInt8](repeating: 0xFF, count: 40)
    let log = try EventLog(ccel: bytes)
    #expect(log.events.count == 5)
    func extended(_ register: [UInt8], _ digest: [UInt8]) -> [UInt8] {
      Array(SHA384.hash(data: register + digest))
    }
    let zero = [UInt8](repeating: 0, count: 48)
    let registers = log.replay()
    #expect(registers[0] == extended(extended(zero, first), second))
    #expect(registers[1] == zero)
    #expect(registers[2] == zero)
    #expect(registers[3] == extended(zero, first))
  }

  @Test func `a log that is wrong is refused by its fault`() throws {
    func code(_ bytes: [UInt8]) -> EvidenceError.Code? {
      do {
        _ = try EventLog(ccel: bytes)
        return nil
      } catch {
        return error.code
      }
    }
    let digest = [UInt8](repeating: 1, count: 48)
    var good = Self.header()
    Self.append(&good, register: 1, type: 6, digest: digest)
    #expect(code(good) == nil)
    for count in [1, 31, 40, Self.header().count + 3, good.count - 1] {
      #expect(code(Array(good.prefix(count))) == .truncated)
    }
    var unknown = good
    unknown[32] ^= 1
    #expect(code(unknown) == .unknownVersion)
    var register = Self.header()
    Self.append(&register, register: 5, type: 6, digest: digest)
    #expect(code(register) == .invalid)
    var algorithm = Self.header()
    Self.append(&algorithm, register: 1, type: 6, digest: digest, algorithm: 0x0B)
    #expect(code(algorithm) == .unknownType)
    var many = Self.header()
    many += [1, 0, 0, 0, 6, 0, 0, 0, 9, 0, 0, 0]
    #expect(code(many) == .tooLarge)
    var none = Self.header()
    none += [1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    #expect(code(none) == .missing)
  }

  @Test func `a runtime event without digest is hashed from its name and data`() throws {
    let text = """
      [{"imr":3,"event_type":134217729,"digest":"","event":"app-id","event_payload":"0102"}]
      """
    let log = try EventLog(json: Array(text.utf8))
    let hashed = [1, 0, 0, 8, 0x3A] + Array("app-id".utf8) + [0x3A, 1, 2]
    let digest = Array(SHA384.hash(data: hashed))
    let zero = [UInt8](repeating: 0, count: 48)
    #expect(log.replay()[3] == Array(SHA384.hash(data: zero + digest)))
  }

  @Test(arguments: [
    "{}", "[{}]", "[{\"imr\":4,\"event_type\":1,\"digest\":\"00\"}]",
    "[{\"imr\":0,\"event_type\":1}]",
    "[{\"imr\":0,\"event_type\":1,\"digest\":\"\"}]",
    "[{\"imr\":0,\"event_type\":1,\"digest\":\"0g\"}]",
    "[] []",
  ])
  func `a JSON log that is wrong is refused`(_ text: String) {
    #expect(throws: EvidenceError.self) { try EventLog(json: Array(text.utf8)) }
  }

  private static func header() -> [UInt8] {
    var writer = ByteWriter()
    writer.u32(1)
    writer.u32(EventLog.noAction)
    writer.zeros(20)
    writer.u32(33)
    writer.append(Array("Spec ID Event03\0".utf8))
    writer.append([0, 0, 0, 0, 0, 2, 0, 2])
    writer.u32(1)
    writer.u16(0x0C)
    writer.u16(48)
    writer.u8(0)
    return writer.bytes
  }

  private static func append(
    _ bytes: inout [UInt8], register: UInt32, type: UInt32, digest: [UInt8],
    algorithm: UInt16 = 0x0C
  ) {
    var writer = ByteWriter()
    writer.u32(register)
    writer.u32(type)
    writer.u32(1)
    writer.u16(algorithm)
    writer.append(digest)
    writer.u32(4)
    writer.append([1, 2, 3, 4])
    bytes += writer.bytes
  }
}
