import ArcaManifest
import ArcaWire
import CArcaGuest

/// Carries bytes between the host and the running programs until the workload has ended.
struct Session {
  private static let executionsMax = 64
  /// How much may wait for the host before nothing more of it is read: what it says is answered,
  /// and a host that talks and never listens would grow the answers without end.
  private static let unreadBytesMax = 1 << 20

  /// The workload first.
  private var executions: [Execution]
  private let manifest: WorkloadManifest
  private let childSignals: Int32
  private let uevents: Int32
  private let root: Root
  /// Init's end of the line to the process that serves the local address, where there is one.
  var localAddress: Channel?

  init(
    _ workload: Workload, _ manifest: WorkloadManifest, childSignals: Int32, uevents: Int32,
    root: Root, localAddress: Channel?
  ) {
    self.localAddress = localAddress
    executions = [Execution(workload, session: 0, rules: manifest.hostMay)]
    self.manifest = manifest
    self.childSignals = childSignals
    self.uevents = uevents
    self.root = root
  }

  /// Runs until the workload and its output have ended; its exit status.
  mutating func run(_ channel: inout Channel) throws(InitError) -> UInt8 {
    do {
      while true {
        while let message = try channel.nextMessage() { try take(message, &channel) }
        try relayAttestation(&channel)
        for index in executions.indices { executions[index].relay(&channel) }
        if let status = executions[0].status, executions[0].isOver {
          try checkVerity()
          return status
        }
        for execution in executions.dropFirst() where execution.isOver {
          channel.send(.exit(execution.status ?? 0), session: execution.session)
        }
        executions.removeAll { $0.session != 0 && $0.isOver }
        try wait(&channel)
      }
    } catch {
      _ = arca_kill(executions[0].workload.pid, 9)
      throw error
    }
  }

  private mutating func wait(_ channel: inout Channel) throws(InitError) {
    var items: [arca_poll] = []
    do throws(SystemError) {
      try channel.flush()
      let reading = Int16(ARCA_POLLIN)
      let writing = Int16(channel.unsentBytes > 0 ? ARCA_POLLOUT : 0)
      let listening = channel.unsentBytes < Self.unreadBytesMax ? reading : 0
      items = [
        arca_poll(fd: channel.fd, events: listening | writing, revents: 0),
        arca_poll(fd: childSignals, events: reading, revents: 0),
        arca_poll(fd: uevents, events: reading, revents: 0),
        localItem,
      ]
      let hasRoom = channel.unsentBytes < Execution.unsentBytesMax
      for execution in executions { items += execution.pollItems(hasRoom: hasRoom) }
      try System.poll(&items, timeoutMilliseconds: -1)
      if items[0].revents & ~Int16(ARCA_POLLOUT) != 0, !(try channel.receive()) {
        throw .hostLeft
      }
    } catch {
      throw .hostLeft
    }
    if items[1].revents != 0 { takeChildren() }
    if items[2].revents != 0 {
      while System.takeUevent(uevents) {}
      try checkVerity()
    }
    if items[3].revents & ~Int16(ARCA_POLLOUT) != 0, (try? localAddress?.receive()) != true {
      localAddress = nil
    }
    for index in executions.indices
    where items[4 + index * 3].revents & Int16(ARCA_POLLERR | ARCA_POLLHUP) != 0 {
      executions[index].closeInput()
    }
  }

  private var localItem: arca_poll {
    guard let localAddress else { return arca_poll(fd: -1, events: 0, revents: 0) }
    let writing = Int16(localAddress.unsentBytes > 0 ? ARCA_POLLOUT : 0)
    return arca_poll(fd: localAddress.fd, events: Int16(ARCA_POLLIN) | writing, revents: 0)
  }

  /// dm-verity announces corruption before the read that met it returns, so none goes unseen.
  private func checkVerity() throws(InitError) {
    if root.isCorrupted {
      throw InitError(.corruption, "data read from the root file system is not what was measured")
    }
  }

  private mutating func take(
    _ message: HostMessage, _ channel: inout Channel
  ) throws(InitError) {
    switch message {
    case .toSession(let session, .execute(let request)):
      do throws(InitError) {
        try execute(request, session)
        channel.send(.started, session: session)
      } catch {
        channel.send(.failure(error.failure, detail: error.detail), session: session)
      }
    case .toSession(let session, let inner):
      // One that has just ended may still be spoken to.
      if let index = executions.firstIndex(where: { $0.session == session }) {
        try executions[index].take(inner)
      }
    case .manifest, .hostInput, .start, .evidence, .execute, .brokerOpened, .brokerFailed,
      .brokerData, .brokerEnd:
      throw InitError(.wire, "a message of the start came while running")
    case .signal, .windowSize, .input, .inputEnd, .credit: try executions[0].take(message)
    }
  }

  /// Runs a program beside the workload, in its namespaces.
  private mutating func execute(_ encoded: [UInt8], _ session: UInt8) throws(InitError) {
    guard !executions.contains(where: { $0.session == session }),
      executions.count < Self.executionsMax
    else { throw InitError(.wire, "the session is taken, or there are too many") }
    let request: ExecutionRequest
    let process: WorkloadProcess
    do {
      request = try ExecutionRequest(decoding: encoded)
      process = try request.process(in: manifest)
    } catch {
      throw InitError(.hostInput, error.field)
    }
    let streams: Streams
    do {
      if let size = request.terminal {
        streams = try Streams(terminalFor: process, size, isConsole: false)
      } else {
        streams = try Streams(pipesFor: process)
      }
    } catch {
      throw error.named(.environment, "standard streams")
    }
    let workload: Workload
    do {
      workload = try Workload.start(process, streams, .workload)
    } catch {
      for fd in [streams.input.ours, streams.output.ours, streams.error.ours] where fd >= 0 {
        System.close(fd)
      }
      throw error
    }
    executions.append(Execution(workload, session: session, rules: manifest.hostMay))
  }

  private mutating func takeChildren() {
    _ = try? System.read(childSignals, 4096)
    while let (pid, ended) = System.reap() {
      if let index = executions.firstIndex(where: { $0.workload.pid == pid }) {
        executions[index].end(ended)
      }
    }
  }
}
