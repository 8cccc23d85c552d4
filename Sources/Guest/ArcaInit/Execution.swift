import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// A running program, the workload or one beside it, and the bytes on their way to and from it.
final class Execution {
  private static let pieceBytes = 32_768
  /// How much may wait for the host before output is left in its pipes.
  static let unsentBytesMax = 65_536

  private let channel: Channel
  /// 0 for the workload.
  let session: UInt8
  let pid: Int32
  private let isTerminal: Bool
  /// Standard input; -1 with a terminal.
  private var input: Int32
  /// Standard output, or the terminal in both directions.
  private var output: Int32
  /// Standard error; -1 with a terminal.
  private var error: Int32
  /// The exit status, once it has ended.
  var status: UInt8?
  private let sendInput: Bool
  private let receiveOutput: Bool
  private var outputCredit = StreamCredit()
  private var errorCredit = StreamCredit()
  private var inputWindow = StreamWindow()
  private var order = HostMessageOrder.running
  private var pendingInput: [UInt8] = []
  private var inputTaken = 0
  private var inputEnded = false

  init(_ pid: Int32, _ streams: Streams, session: UInt8, rules: HostRules, over channel: Channel) {
    self.channel = channel
    self.pid = pid
    isTerminal = streams.isTerminal
    (input, output, error) = (streams.input.ours, streams.output.ours, streams.error.ours)
    self.session = session
    // What runs at the host's wish also speaks to the host.
    sendInput = session != 0 || rules.sendInput
    receiveOutput = session != 0 || rules.receiveOutput
  }

  /// Whether the program and its output have ended.
  var isOver: Bool { status != nil && output < 0 && error < 0 }

  /// What standard input is written to; below 0 once nobody reads it.
  private var inputFD: Int32 { isTerminal ? output : input }

  func take(_ message: HostMessage, _ frame: Frame) throws(InitError) {
    if session != 0 { try onWire(order.accept(message, frame)) }
    switch message {
    case .signal(let number):
      if status == nil { _ = kill(pid, Int32(number)) }
    case .windowSize(let rows, let columns):
      if isTerminal, output >= 0 {
        try? System.resizeTerminal(output, rows: rows, columns: columns)
      }
    case .input(let bytes):
      guard sendInput else { throw InitError(.hostInput, "hostMay.sendInput") }
      if inputTaken >= Int(Wire.windowBytes) {
        pendingInput.removeFirst(inputTaken)
        inputTaken = 0
      }
      pendingInput += bytes
    case .inputEnd: inputEnded = true
    case .credit(.standardOutput, let bytes):
      try onWire(outputCredit.add(bytes, on: .standardOutput))
    case .credit(let channel, let bytes): try onWire(errorCredit.add(bytes, on: channel))
    default: throw .order
    }
  }

  /// Moves what can be moved now.
  func relay() {
    writeInput()
    output = readOutput(.standardOutput, output, &outputCredit)
    error = readOutput(.standardError, error, &errorCredit)
  }

  /// What to wait for: standard input, output and error.
  func pollItems(hasRoom: Bool) -> [pollfd] {
    // Asked about a terminal only while bytes wait: it would report its end again and again.
    let terminal = pendingInput.isEmpty ? -1 : output
    let inputFD = isTerminal ? terminal : input
    let outputFD = hasRoom && outputCredit.bytes > 0 ? output : -1
    let errorFD = hasRoom && errorCredit.bytes > 0 ? error : -1
    return [
      pollfd(fd: inputFD, events: Int16(pendingInput.isEmpty ? 0 : POLLOUT), revents: 0),
      pollfd(fd: outputFD, events: Int16(POLLIN), revents: 0),
      pollfd(fd: errorFD, events: Int16(POLLIN), revents: 0),
    ]
  }

  /// Hands the program what its standard input takes; what nobody will read is consumed.
  private func writeInput() {
    let fd = inputFD
    var taken = 0
    if fd >= 0 {
      do throws(SystemError) {
        while inputTaken + taken < pendingInput.count {
          taken += try System.write(fd, pendingInput, from: inputTaken + taken)
        }
      } catch {
        if error.errno != EAGAIN { closeInput() }
      }
    }
    if inputFD < 0 { taken = pendingInput.count - inputTaken }
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
  func closeInput() {
    if input >= 0 { System.close(input) }
    input = -1
  }

  /// Sends what the program has written, as far as credit and room go; -1 once it has ended.
  private func readOutput(
    _ name: Wire.Channel, _ fd: Int32, _ credit: inout StreamCredit
  ) -> Int32 {
    while fd >= 0, credit.bytes > 0, channel.unsentBytes < Self.unsentBytesMax {
      let bytes: [UInt8]
      do {
        bytes = try System.read(fd, min(Self.pieceBytes, Int(credit.bytes)))
      } catch {
        if error.errno == EAGAIN { return fd }
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
