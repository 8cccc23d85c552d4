import ArcaAttester
import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest
import CArcaTLS

/// The owner's key broker, as the manifest names it.
struct KeyBroker {
  /// How long one attempt may take, and all of them.
  private static let attemptMilliseconds: UInt64 = 30_000
  private static let deadlineMilliseconds: UInt64 = 60_000
  private static let firstPauseMilliseconds: UInt64 = 500

  let access: KeyBrokerAccess
  let address: BrokerAddress
  let provider: EvidenceProvider

  init(_ access: KeyBrokerAccess, _ provider: EvidenceProvider) throws(InitError) {
    guard let address = BrokerAddress(url: access.url) else {
      throw InitError(.manifest, "keyBroker.url")
    }
    self.access = access
    self.address = address
    self.provider = provider
  }

  /// Attests over a connection of its own and runs `body`; tries again while the broker cannot be
  /// reached, with pauses that double.
  func attested<Value>(
    over channel: Channel, _ body: (BrokerSession) throws(InitError) -> Value
  ) throws(InitError) -> Value {
    let deadline = arca_milliseconds() + Self.deadlineMilliseconds
    var pause = Self.firstPauseMilliseconds
    while true {
      let session = BrokerSession(
        self, channel, until: min(arca_milliseconds() + Self.attemptMilliseconds, deadline))
      do throws(InitError) {
        try session.connect()
        try session.attest()
        let value = try body(session)
        try session.end()
        return value
      } catch {
        try? session.end()
        let next = arca_milliseconds() + pause
        guard error.failure == .keyBroker, next < deadline else { throw error }
        let line: Text = "key broker: \(error.detail); again in \(pause) ms"
        channel.send(.log(line.utf8))
        while try channel.waitForAttestation(until: next) != nil {}
        pause *= 2
      }
    }
  }
}

/// One connection to the key broker, from the TLS handshake to the last answer.
final class BrokerSession {
  private static let readBytes = 16_384

  private let broker: KeyBroker
  private let channel: Channel
  private let deadline: UInt64
  /// Bytes of the network that TLS had no room for yet.
  private var unfed: ArraySlice<UInt8> = []
  private var cookie: [UInt8]?
  /// The attestation token; empty before ``attest()``.
  private(set) var token: [UInt8] = []

  init(_ broker: KeyBroker, _ channel: Channel, until deadline: UInt64) {
    self.broker = broker
    self.channel = channel
    self.deadline = deadline
  }

  // MARK: - Connection

  /// Connects, and demands that the broker proves to own a key that the manifest names.
  func connect() throws(InitError) {
    let address = broker.address
    guard channel.order.relay.open() else {
      throw InitError(.keyBroker, "the earlier connection has not ended")
    }
    channel.send(.brokerOpen(host: address.host, port: address.port))
    switch try channel.waitForAttestation(until: deadline)?.message {
    case .brokerOpened?: break
    case .brokerFailed(let why)?: throw InitError(.keyBroker, "\(named): \(why)")
    default: throw InitError(.keyBroker, "\(named): the host does not connect in time")
    }
    guard TLS.start(host: "\(address.host)") == 0 else {
      throw InitError(.secret, "TLS could not be started")
    }
    let result = try drive { Int(arca_tls_handshake()) }
    guard result == 0 else {
      throw InitError(.keyBrokerIdentity, "\(named): TLS handshake failed (\(result))")
    }
    let found = TLS.peerKey() ?? []
    guard broker.access.publicKeys.contains(found) else {
      throw InitError(
        .keyBrokerIdentity,
        "\(named): it has the key \(Hex.encode(found)), which keyBroker.publicKeys does not name")
    }
  }

  /// Ends the connection, and waits until the host has ended it too.
  func end() throws(InitError) {
    arca_tls_end()
    arca_key_wipe()
    guard channel.order.relay.phase == .open else { return }
    if channel.order.relay.endByGuest() { channel.send(.brokerEnd) }
    while channel.order.relay.phase == .open {
      guard try channel.waitForAttestation(until: arca_milliseconds() + 5000) != nil else {
        throw InitError(.keyBroker, "\(named): the host does not end the connection")
      }
    }
    while channel.nextAttestation() != nil {}
  }

  private var named: Text { broker.access.url }

  /// Repeats a step of TLS until it needs no more bytes to go or to come.
  private func drive(_ step: () -> Int) throws(InitError) -> Int {
    while true {
      let result = step()
      let sent = try sendWaiting()
      if result != Int(ARCA_TLS_WAITS) { return result }
      if !sent { try feed() }
    }
  }

  /// Hands the host what TLS has to send, within the credit; false where it was nothing.
  private func sendWaiting() throws(InitError) -> Bool {
    var sent = false
    while true {
      let room = min(Int(channel.order.relay.credit.bytes), Wire.streamBytesMax)
      if room == 0 {
        try receive()
        continue
      }
      let bytes = TLS.take(room)
      if bytes.isEmpty { return sent }
      channel.order.relay.spend(bytes.count)
      channel.send(.brokerData(bytes))
      sent = true
    }
  }

  private func feed() throws(InitError) {
    if unfed.isEmpty { try receive() }
    let count = TLS.feed(unfed)
    unfed = unfed.dropFirst(count)
    if let grant = channel.order.relay.consume(count) { channel.send(.brokerCredit(grant)) }
  }

  /// Waits for one message of the relay.
  private func receive() throws(InitError) {
    switch try channel.waitForAttestation(until: deadline)?.message {
    case .brokerData(let bytes)?: unfed += bytes
    case .brokerEnd?: throw InitError(.keyBroker, "\(named): it ended the connection")
    case nil: throw InitError(.keyBroker, "\(named): it gives no answer in time")
    default: break
    }
  }

  // MARK: - Protocol

  /// Proves to the broker what runs here, with a key of this session's own.
  func attest() throws(InitError) {
    guard let point = Crypto.makeKey() else {
      throw InitError(.secret, "the TEE's key could not be made")
    }
    var request = BrokerRequest("POST", [UInt8](ascii: "auth"))
    request.body = Attestation.request(tee: try broker.provider.protocolName)
    let challenge = try accepted(try call(request), "auth")
    let attestation = Attestation(
      nonce: try read("challenge", BrokerAnswer.nonce(challenge)), point: point)
    guard let digest = Crypto.sha384(attestation.runtimeData) else {
      throw InitError(.secret, "SHA-384 failed")
    }
    request.path = [UInt8](ascii: "attest")
    request.body = attestation.message(
      evidence: try broker.provider.message(
        digest + [UInt8](repeating: 0, count: 16), over: channel))
    let answer = try accepted(try call(request), "attest")
    token = try read("token", BrokerAnswer.token(answer))
  }

  /// The resource `repository/type/tag`; to be wiped after use.
  func resource(_ path: [UInt8]) throws(InitError) -> [UInt8] {
    let name: Text = "resource \(path)"
    let request = BrokerRequest("GET", ("resource/\(path)" as Text).utf8)
    return try open(try accepted(try call(request), name), name)
  }

  /// Decrypts an answer that is encrypted to this session's key.
  func open(_ body: [UInt8], _ name: Text) throws(InitError) -> [UInt8] {
    guard let secret = Crypto.open(try read(name, SealedSecret(body))) else {
      throw InitError(.secret, "\(name): does not decrypt with the key of this TEE")
    }
    return secret
  }

  /// Sends a request and waits for its answer, whatever its status.
  func call(_ request: BrokerRequest) throws(InitError) -> HTTPResponse {
    let bytes = request.encoded(
      host: Array(broker.access.url.utf8.dropFirst(8).prefix { $0 != UInt8(ascii: "/") }),
      prefix: broker.address.prefix, session: cookie)
    var sent = 0
    while sent < bytes.count {
      let count = try drive { TLS.write(bytes[sent...]) }
      guard count > 0 else { throw broken(count) }
      sent += count
    }
    var (answer, part): ([UInt8], [UInt8]) = ([], [])
    while true {
      let count = try drive { TLS.read(Self.readBytes, into: &part) }
      guard count > 0 else { throw broken(count) }
      answer += part
      guard let response = try read("answer", HTTPResponse.read(answer)) else { continue }
      if let session = response.session { cookie = session }
      return response
    }
  }

  /// TLS says that the broker closed the connection, or that its bytes are not the broker's.
  private func broken(_ result: Int) -> InitError {
    result == 0
      ? InitError(.keyBroker, "\(named): it closed the connection")
      : InitError(.keyBrokerIdentity, "\(named): bytes were changed on the way (\(result))")
  }

  /// The body of an answer that grants what was asked.
  func accepted(_ response: HTTPResponse, _ what: Text) throws(InitError) -> [UInt8] {
    if response.status == 200 { return response.body }
    let why = BrokerAnswer.refusal(response.body).prefix(512).map { $0 < 32 || $0 > 126 ? 63 : $0 }
    throw InitError(
      response.status >= 500 ? .keyBroker : .keyBrokerRefused,
      "\(named): \(what): status \(response.status): \(why)")
  }

  private func read<Value>(
    _ what: Text, _ body: @autoclosure () throws(AttesterError) -> Value
  ) throws(InitError) -> Value {
    do { return try body() } catch {
      throw InitError(.secret, "\(named): \(what): not what the protocol says: \(error.field)")
    }
  }
}
