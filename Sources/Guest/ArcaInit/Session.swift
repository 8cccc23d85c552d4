import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// Carries bytes between the host and the running programs until the workload has ended.
struct Session {
  private static let executionsMax = 64
  /// How much may wait for the host before nothing more of it is read: what it says is answered,
  /// and a host that talks and never listens would grow the answers without end.
  private static let unreadBytesMax = 1 << 20

  let channel: Channel
  /// The workload first.
  var executions: [Execution]
  let manifest: WorkloadManifest
  let childSignals: Int32
  let uevents: Int32
  let root: Root
  /// Init's end of the line to the process that serves the local address, where there is one.
  var localAddress: Channel?

  /// Runs until the workload and its output have ended; its exit status.
  mutating func run() throws(InitError) -> UInt8 {
    do {
      while true {
        while let received = try channel.nextMessage() { try take(received) }
        try relayAttestation()
        for execution in executions { execution.relay() }
        if let status = executions[0].status, executions[0].isOver {
          try checkVerity()
          return status
        }
        for execution in executions.dropFirst() where execution.isOver {
          channel.send(.exit(execution.status ?? 0), session: execution.session)
        }
        executions.removeAll { $0.session != 0 && $0.isOver }
        try wait()
      }
    } catch {
      _ = kill(executions[0].pid, SIGKILL)
      throw error
    }
  }

  private mutating func wait() throws(InitError) {
    var items: [pollfd] = []
    do throws(SystemError) {
      try channel.flush()
      let reading = Int16(POLLIN)
      let writing = Int16(channel.unsentBytes > 0 ? POLLOUT : 0)
      let listening = channel.unsentBytes < Self.unreadBytesMax ? reading : 0
      items = [
        pollfd(fd: channel.fd, events: listening | writing, revents: 0),
        pollfd(fd: childSignals, events: reading, revents: 0),
        pollfd(fd: uevents, events: reading, revents: 0),
        localItem,
      ]
      let hasRoom = channel.unsentBytes < Execution.unsentBytesMax
      for execution in executions { items += execution.pollItems(hasRoom: hasRoom) }
      try System.poll(&items, timeoutMilliseconds: -1)
      if items[0].revents & ~Int16(POLLOUT) != 0, !(try channel.receive()) {
        throw SystemError(errno: EPIPE)
      }
    } catch {
      throw .hostLeft
    }
    if items[1].revents != 0 { takeChildren() }
    if items[2].revents != 0 {
      System.takeUevents(uevents)
      try checkVerity()
    }
    if items[3].revents & ~Int16(POLLOUT) != 0, (try? localAddress?.receive()) != true {
      localAddress = nil
    }
    for (index, execution) in executions.enumerated()
    where items[4 + index * 3].revents & Int16(POLLERR | POLLHUP) != 0 {
      execution.closeInput()
    }
  }

  private var localItem: pollfd {
    let events = POLLIN | ((localAddress?.unsentBytes ?? 0) > 0 ? POLLOUT : 0)
    return pollfd(fd: localAddress?.fd ?? -1, events: Int16(events), revents: 0)
  }

  /// dm-verity announces corruption before the read that met it returns, so none goes unseen.
  private func checkVerity() throws(InitError) {
    if root.isCorrupted {
      throw InitError(.corruption, "data read from the root file system is not what was measured")
    }
  }

  private mutating func take(_ received: Channel.Received) throws(InitError) {
    switch received.message {
    case .toSession(let session, .execute(let request)):
      do throws(InitError) {
        try execute(request, session)
        channel.send(.started, session: session)
      } catch {
        channel.send(error.message, session: session)
      }
    case .toSession(let session, let inner):
      // One that has just ended may still be spoken to.
      try executions.first { $0.session == session }?.take(inner, received.frame)
    default: try executions[0].take(received.message, received.frame)
    }
  }

  /// Runs a program beside the workload, in its namespaces.
  private mutating func execute(_ encoded: [UInt8], _ session: UInt8) throws(InitError) {
    guard !executions.contains(where: { $0.session == session }),
      executions.count < Self.executionsMax
    else { throw InitError(.wire, "the session is taken, or there are too many") }
    let request = try attempt(.hostInput, ExecutionRequest(decoding: encoded))
    let process = try attempt(.hostInput, request.process(in: manifest))
    let streams = try Streams(for: process, terminal: request.terminal, isConsole: false)
    do {
      let pid = try Workload.start(process, streams, .workload)
      executions.append(
        Execution(pid, streams, session: session, rules: manifest.hostMay, over: channel))
    } catch {
      streams.closeOurEnds()
      throw error
    }
  }

  private func takeChildren() {
    _ = try? System.read(childSignals, 4096)
    while let (pid, ended) = System.reap() {
      executions.first { $0.pid == pid }?.status = ended
    }
  }
}
