import ArcaBytes
import ArcaWire
import CArcaHost
import Glibc

/// Passes frames between the processes of `arca exec` and the programs that they asked for.
///
/// Each connection is one session and speaks the wire protocol as if it were alone. Flow control is
/// between the two ends; the launcher only sees to it that neither floods it.
struct ExecutionRelay {
  static let socketName = "requests"
  /// Three whole windows with their headers.
  private static let waitingBytesMax = 1 << 20
  private static let clientsMax = 64

  private final class Client {
    let descriptor: Int32
    let session: UInt8
    var decoder = FrameDecoder()
    var outgoing = ByteQueue()
    var isRequested = false
    var isOver = false
    /// The process has gone; the session ends when the guest says so.
    var isGone = false

    init(_ descriptor: Int32, _ session: UInt8) {
      self.descriptor = descriptor
      self.session = session
    }
  }

  private let listener: Int32
  private var clients: [Client] = []
  private var buffer: [UInt8] = []

  /// Listens in the folder that `arca` sees too.
  init() throws(TEEError) {
    listener = try System.listen(in: OuterPath.result, Self.socketName)
  }

  /// What to wait for: the listener first, then each connection.
  var pollItems: [pollfd] {
    [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
      + clients.map {
        let events = POLLIN | ($0.outgoing.isEmpty ? 0 : POLLOUT)
        return pollfd(fd: $0.isGone ? -1 : $0.descriptor, events: Int16(events), revents: 0)
      }
  }

  /// Takes what has come from the connections; the messages for the guest.
  mutating func take(_ items: ArraySlice<pollfd>) -> [HostMessage] {
    var messages: [HostMessage] = []
    for (client, item) in zip(clients, items.dropFirst()) where item.revents != 0 {
      if !client.outgoing.isEmpty { write(client) }
      if item.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { read(client, &messages) }
    }
    if let first = items.first, first.revents != 0 { accept() }
    clients.removeAll { client in
      let isDone = client.isOver && (client.isGone || client.outgoing.isEmpty)
      if isDone { close(client.descriptor) }
      return isDone
    }
    return messages
  }

  private mutating func accept() {
    while clients.count < Self.clientsMax {
      let descriptor = arca_accept(listener)
      guard descriptor >= 0 else { return }
      let taken = Set(clients.map(\.session))
      guard let session = (UInt8(1)...UInt8.max).first(where: { !taken.contains($0) }) else {
        close(descriptor)
        return
      }
      clients.append(Client(descriptor, session))
    }
  }

  private mutating func read(_ client: Client, _ messages: inout [HostMessage]) {
    guard case .bytes = try? System.read(client.descriptor, into: &buffer, max: 1 << 16) else {
      return leave(client, &messages)
    }
    client.decoder.append(buffer)
    while let frame = try? client.decoder.next() {
      var marked = frame
      marked.session = client.session
      guard let message = try? HostMessage(marked), case .toSession(_, let inner) = message else {
        return leave(client, &messages)
      }
      if case .execute = inner { client.isRequested = true }
      guard client.isRequested else { return leave(client, &messages) }
      messages.append(message)
    }
  }

  /// A program whose `arca exec` has gone has nobody left; it is ended.
  private func leave(_ client: Client, _ messages: inout [HostMessage]) {
    guard !client.isGone else { return }
    client.isGone = true
    if client.isRequested, !client.isOver {
      messages.append(.toSession(client.session, .signal(9)))
    } else {
      client.isOver = true
    }
  }

  /// Passes on what the guest says in `session`; the answers that its stream needs.
  mutating func deliver(_ message: GuestMessage, session: UInt8) -> [HostMessage] {
    guard let client = clients.first(where: { $0.session == session }) else { return [] }
    switch message {
    case .exit, .failure: client.isOver = true
    case .output(let channel, let bytes) where client.isGone:
      // Nobody consumes it any more, but the program must be able to end.
      return [.toSession(session, .credit(channel, UInt32(bytes.count)))]
    default: break
    }
    guard !client.isGone else { return [] }
    var writer = ByteWriter(capacity: 64)
    GuestMessage.ofSession(session, message).frame.write(to: &writer)
    client.outgoing.append(writer.bytes)
    var messages: [HostMessage] = []
    write(client)
    // More than any window holds: the guest keeps to no credit.
    if client.outgoing.count > Self.waitingBytesMax { leave(client, &messages) }
    return messages
  }

  private func write(_ client: Client) {
    if case .end = try? client.outgoing.write(to: client.descriptor, max: 1 << 18) {
      client.outgoing.removeAll()
    }
  }

  /// Ends what still runs beside a workload that has ended.
  mutating func finish() {
    for client in clients where !client.isGone {
      write(client)
      close(client.descriptor)
    }
    clients = []
  }
}
