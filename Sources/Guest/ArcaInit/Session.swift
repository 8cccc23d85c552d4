import ArcaWire
import CArcaGuest

/// Carries bytes between the host and the running workload until it has ended.
struct Session {
  private static let pieceBytes = 32_768
  /// How much may wait for the host before the workload's output is left in its pipes.
  private static let unsentBytesMax = 65_536

  private var workload: Workload
  private let childSignals: Int32
  private let uevents: Int32
  private let verity: Int32
  private let sendInput: Bool
  private let receiveOutput: Bool
  private var outputCredit = StreamCredit()
  private var errorCredit = StreamCredit()
  private var inputWindow = StreamWindow()
  private var pendingInput: [UInt8] = []
  private var inputTaken = 0
  private var inputEnded = false
  private var status: UInt8?

  init(
    _ workload: Workload, childSignals: Int32, uevents: Int32, verity: Int32, sendInput: Bool,
    receiveOutput: Bool
  ) {
    self.workload = workload
    self.childSignals = childSignals
    self.uevents = uevents
    self.verity = verity
    self.sendInput = sendInput
    self.receiveOutput = receiveOutput
  }

  /// Runs until the workload and its output have ended; its exit status.
  mutating func run(_ channel: inout Channel) throws(InitError) -> UInt8 {
    do {
      while true {
        while let message = try channel.nextMessage() { try take(message) }
        writeInput(&channel)
        workload.output = readOutput(
          &channel, .standardOutput, workload.output, &outputCredit)
        workload.error = readOutput(&channel, .standardError, workload.error, &errorCredit)
        if let status, workload.output < 0, workload.error < 0 {
          try checkVerity()
          return status
        }
        try wait(&channel)
      }
    } catch {
      _ = arca_kill(workload.pid, 9)
      throw error
    }
  }

  private mutating func wait(_ channel: inout Channel) throws(InitError) {
    var items: [arca_poll] = []
    do throws(SystemError) {
      try channel.flush()
      items = pollItems(channel)
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
    if items[3].revents & Int16(ARCA_POLLERR | ARCA_POLLHUP) != 0 { closeInput() }
  }

  /// dm-verity announces corruption before the read that met it returns, so none goes unseen.
  private func checkVerity() throws(InitError) {
    if System.isVerityCorrupted(verity) {
      throw InitError(.corruption, "data read from the root file system is not what was measured")
    }
  }

  private func pollItems(_ channel: Channel) -> [arca_poll] {
    let reading = Int16(ARCA_POLLIN)
    let writing = Int16(ARCA_POLLOUT)
    let hasRoom = channel.unsentBytes < Self.unsentBytesMax
    // Asked about a terminal only while bytes wait: it would report its end again and again.
    let terminal = pendingInput.isEmpty ? -1 : workload.output
    let inputFD = workload.isTerminal ? terminal : workload.input
    return [
      arca_poll(
        fd: channel.fd, events: reading | (channel.unsentBytes > 0 ? writing : 0), revents: 0),
      arca_poll(fd: childSignals, events: reading, revents: 0),
      arca_poll(fd: uevents, events: reading, revents: 0),
      arca_poll(fd: inputFD, events: pendingInput.isEmpty ? 0 : writing, revents: 0),
      arca_poll(
        fd: hasRoom && outputCredit.bytes > 0 ? workload.output : -1, events: reading, revents: 0),
      arca_poll(
        fd: hasRoom && errorCredit.bytes > 0 ? workload.error : -1, events: reading, revents: 0),
    ]
  }

  private mutating func take(_ message: HostMessage) throws(InitError) {
    switch message {
    case .signal(let number):
      if status == nil { _ = arca_kill(workload.pid, Int32(number)) }
    case .windowSize(let rows, let columns):
      if workload.isTerminal, workload.output >= 0 {
        _ = arca_terminal_resize(workload.output, rows, columns)
      }
    case .input(let bytes):
      guard sendInput else { throw InitError(.hostInput, "hostMay.sendInput") }
      if inputTaken >= Int(Wire.windowBytes) {
        pendingInput.removeFirst(inputTaken)
        inputTaken = 0
      }
      pendingInput += bytes
    case .inputEnd: inputEnded = true
    case .credit(let channel, let bytes):
      do {
        if channel == .standardOutput {
          try outputCredit.add(bytes, on: channel)
        } else {
          try errorCredit.add(bytes, on: channel)
        }
      } catch {
        throw InitError(error)
      }
    case .manifest, .hostInput, .start, .evidence:
      throw InitError(.wire, "a message of the start came while running")
    }
  }

  private mutating func takeChildren() {
    _ = try? System.read(childSignals, 4096)
    while let (pid, ended) = System.reap() {
      if pid == workload.pid { status = ended }
    }
  }

  /// Hands the workload what its standard input takes; what nobody will read is consumed.
  private mutating func writeInput(_ channel: inout Channel) {
    let fd = workload.isTerminal ? workload.output : workload.input
    var taken = 0
    if fd >= 0 {
      do throws(SystemError) {
        while inputTaken + taken < pendingInput.count {
          taken += try System.write(fd, pendingInput, from: inputTaken + taken)
        }
      } catch {
        if error.errno != SystemError.again { closeInput() }
      }
    }
    if workload.isTerminal ? workload.output < 0 : workload.input < 0 {
      taken = pendingInput.count - inputTaken
    }
    inputTaken += taken
    if inputTaken == pendingInput.count {
      pendingInput.removeAll(keepingCapacity: true)
      inputTaken = 0
      if inputEnded { closeInput() }
    }
    if taken > 0, let grant = inputWindow.consume(taken) {
      channel.order.grantInput(grant)
      channel.send(.inputCredit(grant))
    }
  }

  /// A terminal has no end of its own; only a pipe is closed.
  private mutating func closeInput() {
    if workload.input >= 0 { System.close(workload.input) }
    workload.input = -1
  }

  /// Sends what the workload has written, as far as credit and room go; -1 once it has ended.
  private func readOutput(
    _ channel: inout Channel, _ name: Wire.Channel, _ fd: Int32, _ credit: inout StreamCredit
  ) -> Int32 {
    while fd >= 0, credit.bytes > 0, channel.unsentBytes < Self.unsentBytesMax {
      let bytes: [UInt8]
      do {
        bytes = try System.read(fd, min(Self.pieceBytes, Int(credit.bytes)))
      } catch {
        if error.errno == SystemError.again { return fd }
        // A terminal that nobody has open any more fails rather than ends.
        bytes = []
      }
      if bytes.isEmpty {
        channel.send(.outputEnd(name))
        System.close(fd)
        return -1
      }
      // What is dropped costs no credit; one piece a round, so that signals are not held up.
      guard receiveOutput else { return fd }
      credit.spend(bytes.count)
      channel.send(.output(name, bytes))
    }
    return fd
  }
}
