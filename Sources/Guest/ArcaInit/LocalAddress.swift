import ArcaAttester
import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// The HTTP address inside the guest at which the workload asks for evidence, the key broker's
/// token and resources, as the manifest allows.
///
/// A process beside init serves it, one request at a time, so that no workload holds up init; it
/// reaches the host over a line to init, which passes on evidence and the relay's messages only.
struct LocalAddress {
  private static let port: UInt16 = 8006
  private static let requestMilliseconds: UInt64 = 10_000

  private let rules: WorkloadRules
  private let broker: KeyBroker?
  private let provider: EvidenceProvider
  private let channel: Channel

  /// Starts the process; init's end of its line, or nil where the manifest allows nothing.
  static func start(
    _ manifest: WorkloadManifest, _ broker: KeyBroker?, _ provider: EvidenceProvider
  ) throws(InitError) -> Channel? {
    let rules = manifest.workloadMay
    guard !rules.allowsNothing else { return nil }
    return try step(.environment, "the local address") { () throws(SystemError) in
      let listener = try System.listen(port: port)
      let (ours, theirs) = try System.socketPair()
      if try System.call(fork()) == 0 {
        System.close(ours)
        _ = unshare(CLONE_NEWNS)
        let address = LocalAddress(
          rules: rules, broker: broker, provider: provider, channel: Channel(line: theirs))
        address.serve(listener)
        _exit(0)
      }
      System.close(theirs)
      System.close(listener)
      return Channel(line: ours)
    }
  }

  /// Serves until init has gone.
  private func serve(_ listener: Int32) {
    while true {
      var items = [
        pollfd(fd: channel.fd, events: 0, revents: 0),
        pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
      ]
      guard (try? System.poll(&items, timeoutMilliseconds: -1)) != nil, items[0].revents == 0
      else { return }
      let connection = accept4(listener, nil, nil, SOCK_CLOEXEC | SOCK_NONBLOCK)
      guard connection >= 0 else { continue }
      answer(connection)
      System.close(connection)
    }
  }

  private func answer(_ connection: Int32) {
    let deadline = arca_milliseconds() + Self.requestMilliseconds
    var head: [UInt8] = []
    do throws(AttesterError) {
      while true {
        if let request = try LocalRequest.read(head) { return perform(request, connection) }
        guard Self.wait(connection, POLLIN, deadline),
          let bytes = try? System.read(connection, LocalRequest.headBytesMax - head.count),
          !bytes.isEmpty
        else { return }
        head += bytes
      }
    } catch {
      Self.reply(
        connection, error.code == .unsupported ? "404 Not Found" : "400 Bad Request",
        ("not understood: \(error.field)\n" as Text).utf8)
    }
  }

  private func perform(_ request: LocalRequest, _ connection: Int32) {
    if let rule = missingRule(request) {
      let text: Text = "the manifest does not allow this; it needs workloadMay.\(rule)\n"
      return Self.reply(connection, "403 Forbidden", text.utf8)
    }
    do throws(InitError) {
      var content = try content(of: request)
      Self.reply(connection, "200 OK", content)
      Crypto.wipe(&content)
    } catch {
      Self.reply(connection, "502 Bad Gateway", error.detail.utf8 + [10])
    }
  }

  /// The line that the manifest lacks, or nil.
  private func missingRule(_ request: LocalRequest) -> Text? {
    switch request {
    case .evidence: return rules.getEvidence ? nil : "getEvidence: true"
    case .token: return rules.getToken ? nil : "getToken: true"
    case .resource(let path):
      let isAllowed = rules.getResources.contains { isCovered(path, by: $0.utf8) }
      return isAllowed ? nil : "getResources: [\(path)]"
    }
  }

  private func content(of request: LocalRequest) throws(InitError) -> [UInt8] {
    if case .evidence(let data) = request { return try provider.message(data, over: channel) }
    guard let broker else { throw InitError(.keyBroker, "the manifest names no keyBroker") }
    return try broker.attested(over: channel) { (session) throws(InitError) in
      guard case .resource(let path) = request else {
        return (#"{"token":"\#(session.token)"}"# as Text).utf8
      }
      let uri: Text = "kbs:///\(path)"
      guard ResourceURI.path(uri) != nil else {
        throw InitError(.secret, "expected /cdh/resource/repository/type/tag")
      }
      return try session.resource(path)
    }
  }

  private static func reply(_ connection: Int32, _ status: StaticString, _ body: [UInt8]) {
    let deadline = arca_milliseconds() + requestMilliseconds
    let head: Text =
      "HTTP/1.1 \(status)\r\nContent-Length: \(body.count)\r\nConnection: close\r\n\r\n"
    for part in [head.utf8, body] {
      var sent = 0
      while sent < part.count {
        guard wait(connection, POLLOUT, deadline),
          let count = try? System.write(connection, part, from: sent), count > 0
        else { return }
        sent += count
      }
    }
  }

  private static func wait(_ fd: Int32, _ event: Int32, _ deadline: UInt64) -> Bool {
    let now = arca_milliseconds()
    guard now < deadline else { return false }
    let found = try? System.wait(fd, event, timeoutMilliseconds: Int32(deadline - now))
    return (found ?? 0) != 0
  }
}

extension Session {
  /// Carries messages between the process of the local address and the host.
  mutating func relayAttestation() throws(InitError) {
    guard localAddress != nil else { return }
    while let received = channel.nextAttestation() { localAddress?.send(received.frame) }
    while let frame = try localAddress?.nextFrame() {
      switch try onWire(GuestMessage(relayed: frame)) {
      case .evidenceRequest: channel.order.awaitsEvidence = true
      case .brokerOpen: _ = channel.order.relay.open()
      case .brokerEnd: _ = channel.order.relay.endByGuest()
      case .brokerCredit(let bytes): channel.order.relay.grantMore(bytes)
      default: break
      }
      channel.send(frame)
    }
    if (try? localAddress?.flush()) == nil { localAddress = nil }
  }
}
