import ArcaManifest
import ArcaWire
import CArcaGuest

/// A running program, the workload or one beside it, and the bytes on their way to and from it.
struct Execution {
  private static let pieceBytes = 32_768
  /// How much may wait for the host before output is left in its pipes.
  static let unsentBytesMax = 65_536

  /// 0 for the workload.
  let session: UInt8
  private(set) var workload: Workload
  private(set) var status: UInt8?
  private let sendInput: Bool
  private let receiveOutput: Bool
  private var outputCredit = StreamCredit()
  private var errorCredit = StreamCredit()
  private var inputWindow = StreamWindow()
  private var order = HostMessageOrder.running
  private var pendingInput: [UInt8] = []
  private var inputTaken = 0
  private var inputEnded = false

  init(_ workload: Workload, session: UInt8, rules: HostRules) {
    self.workload = workload
    self.session = session
    // What runs at the host's wish also speaks to the host.
    sendInput = session != 0 || rules.sendInput
    receiveOutput = session != 0 || rules.receiveOutput
  }

  /// Whether the program and its output have ended.
  var isOver: Bool { status != nil && workload.output < 0 && workload.error < 0 }

  mutating func end(_ status: UInt8) { self.status = status }

  mutating func take(_ message: HostMessage) throws(InitError) {
    do {
      if session != 0 { try order.accept(message) }
      switch message {
      case .credit(.standardOutput, let bytes):
        try outputCredit.add(bytes, on: .standardOutput)
      case .credit(let channel, let bytes): try errorCredit.add(bytes, on: channel)
      default: break
      }
    } catch {
      throw InitError(error)
    }
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
    case .credit: break
    default: throw .order
    }
  }

  /// Moves what can be moved now.
  mutating func relay(_ channel: inout Channel) {
    writeInput(&channel)
    workload.output = readOutput(&channel, .standardOutput, workload.output, &outputCredit)
    workload.error = readOutput(&channel, .standardError, workload.error, &errorCredit)
  }

  /// What to wait for: standard input, output and error.
  func pollItems(hasRoom: Bool) -> [arca_poll] {
    // Asked about a terminal only while bytes wait: it would report its end again and again.
    let terminal = pendingInput.isEmpty ? -1 : workload.output
    let inputFD = workload.isTerminal ? terminal : workload.input
    let writing = Int16(pendingInput.isEmpty ? 0 : ARCA_POLLOUT)
    return [
      arca_poll(fd: inputFD, events: writing, revents: 0),
      arca_poll(
        fd: hasRoom && outputCredit.bytes > 0 ? workload.output : -1, events: Int16(ARCA_POLLIN),
        revents: 0),
      arca_poll(
        fd: hasRoom && errorCredit.bytes > 0 ? workload.error : -1, events: Int16(ARCA_POLLIN),
        revents: 0),
    ]
  }

  /// Hands the program what its standard input takes; what nobody will read is consumed.
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
      if session == 0 { channel.order.grantInput(grant) } else { order.grantInput(grant) }
      channel.send(.inputCredit(grant), session: session)
    }
  }

  /// A terminal has no end of its own; only a pipe is closed.
  mutating func closeInput() {
    if workload.input >= 0 { System.close(workload.input) }
    workload.input = -1
  }

  /// Sends what the program has written, as far as credit and room go; -1 once it has ended.
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
        channel.send(.outputEnd(name), session: session)
        System.close(fd)
        return -1
      }
      // What is dropped costs no credit; one piece a round, so that signals are not held up.
      guard receiveOutput else { return fd }
      credit.spend(bytes.count)
      channel.send(.output(name, bytes), session: session)
    }
    return fd
  }
}
