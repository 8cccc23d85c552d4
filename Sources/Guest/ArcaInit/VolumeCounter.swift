import ArcaAttester
import ArcaBytes
import ArcaManifest
import ArcaWire

/// The number that the key broker keeps for a volume's key, and that only grows
/// (docs/key-broker.md, "Generation counters").
struct VolumeCounter {
  private static let nonceBytes = 16

  private let session: BrokerSession
  private let path: [UInt8]
  private var known: UInt64 = 0

  /// The counter of the key at `resource`.
  init(_ resource: Text, _ session: BrokerSession) throws(InitError) {
    guard let path = ResourceURI.path(resource) else {
      throw InitError(.manifest, "resource \(resource)")
    }
    self.path = path
    self.session = session
  }

  /// What the counter stands at.
  mutating func read() throws(InitError) -> UInt64 {
    known = try call("GET", "")
    return known
  }

  /// Sets the counter from what was read to `next`.
  func advance(to next: UInt64) throws(InitError) {
    let found = try call("POST", "&expected=\(known)&next=\(next)")
    guard found == next else {
      throw InitError(.volume, "\(name): stands at \(found), expected \(next)")
    }
  }

  private var name: Text { "counter \(path)" }

  private func call(_ method: StaticString, _ query: Text) throws(InitError) -> UInt64 {
    let random = try attempt(.environment, "getrandom", System.random(Self.nonceBytes))
    let nonce = Array(Hex.encode(random).utf8)
    let request = BrokerRequest(
      method,
      [UInt8](ascii: "counter/") + path + [UInt8](ascii: "?nonce=") + nonce + Array(query.utf8))
    let answer = try session.call(request)
    guard answer.status != 409 else {
      // Another guest has it, or had it since the read.
      throw InitError(.volume, "\(name): no longer at \(known); the volume is in use elsewhere")
    }
    let plaintext = try session.open(try session.accepted(answer, name), name)
    // {"generation":G,"nonce":"N"}: the nonce shows that this answers this call.
    let start = [UInt8](ascii: "{\"generation\":")
    let end = [UInt8](ascii: ",\"nonce\":\"") + nonce + [UInt8](ascii: "\"}")
    let digits = plaintext.dropFirst(start.count).dropLast(end.count)
    guard plaintext.starts(with: start), plaintext.suffix(end.count).elementsEqual(end),
      plaintext.count > start.count + end.count,
      let value = Digits.number(digits, digitsMax: 19)
    else { throw InitError(.secret, "\(name): the answer is not to this call") }
    return value
  }
}
