import ArcaBytes
import ArcaWire
import Glibc

/// One `arca exec`: asks a container's launcher for a program and carries its streams.
package struct ExecutionClient {
  private let connection: Int32
  private let input: Int32
  private let terminal: Terminal?
  private let signals: SignalSource
  private var decoder = FrameDecoder()
  private var outgoing = ByteQueue()
  private var output: OutputStream
  private var errorOutput: OutputStream
  private var outputWindow = StreamWindow()
  private var errorWindow = StreamWindow()
  private var inputCredit = StreamCredit()
  private var inputEnded = false
  private var isStarted = false
  private var exitStatus: UInt8?
  private var buffer: [UInt8] = []

  /// Connects to the launcher whose results are in `folder`; `descriptors` are the program's
  /// standard input, output and error.
  package init(
    folder: String, descriptors: (Int32, Int32, Int32), hasTerminal: Bool, signals: SignalSource
  ) throws(TEEError) {
    connection = try System.connect(in: folder, ExecutionRelay.socketName)
    input = descriptors.0
    output = OutputStream(descriptors.1)
    errorOutput = OutputStream(descriptors.2)
    terminal = hasTerminal ? Terminal(descriptors.0) : nil
    self.signals = signals
  }

  /// Runs the program that `request` describes to its end.
  ///
  /// - Parameters:
  ///   - request: The CBOR of the request.
  ///   - onStarted: Called once the program runs.
  /// - Returns: its exit status.
  /// - Throws: what the guest or the manifest has against it.
  package mutating func run(
    _ request: [UInt8], onStarted: () -> Void
  ) throws(TEEError) -> UInt8 {
    send(.execute(request))
    terminal?.makeRaw()
    defer { terminal?.restore() }
    while true {
      if let exitStatus, output.isEmpty, errorOutput.isEmpty { return exitStatus }
      try step(onStarted)
    }
  }

  private mutating func send(_ message: HostMessage) {
    var writer = ByteWriter(capacity: 64)
    message.frame.write(to: &writer)
    outgoing.append(writer.bytes)
  }

  private mutating func step(_ onStarted: () -> Void) throws(TEEError) {
    let room = isStarted && !inputEnded ? min(Int(inputCredit.bytes), Wire.streamBytesMax) : 0
    let events = POLLIN | (outgoing.isEmpty ? 0 : POLLOUT)
    var waits = [
      pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: exitStatus == nil ? connection : -1, events: Int16(events), revents: 0),
      pollfd(fd: room > 0 ? input : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: output.isEmpty ? -1 : output.descriptor, events: Int16(POLLOUT), revents: 0),
      pollfd(
        fd: errorOutput.isEmpty ? -1 : errorOutput.descriptor, events: Int16(POLLOUT), revents: 0),
    ]
    try System.poll(&waits, timeoutMilliseconds: -1)
    if waits[0].revents != 0 { takeSignals() }
    if waits[1].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { try receive(onStarted) }
    if waits[2].revents != 0 { try readInput(room) }
    if waits[3].revents != 0, let grant = outputWindow.consume(try output.write()) {
      send(.credit(.standardOutput, grant))
    }
    if waits[4].revents != 0, let grant = errorWindow.consume(try errorOutput.write()) {
      send(.credit(.standardError, grant))
    }
    if !outgoing.isEmpty, exitStatus == nil {
      _ = try outgoing.write(to: connection, max: 1 << 18)
    }
  }

  private mutating func receive(_ onStarted: () -> Void) throws(TEEError) {
    switch try System.read(connection, into: &buffer, max: 1 << 16) {
    case .bytes: decoder.append(buffer)
    case .wouldBlock: return
    case .end: throw TEEError(.vmm, "the container ended before the program did")
    }
    do {
      while let frame = try decoder.next() {
        guard case .ofSession(_, let message) = try GuestMessage(frame) else {
          throw WireError(.reserved, channel: frame.channel.rawValue, type: frame.type)
        }
        try take(message, onStarted)
      }
    } catch let error as WireError {
      throw TEEError(
        .wire, "the guest sent a frame that the protocol does not allow (\(error.code))")
    } catch let error as TEEError {
      throw error
    } catch {
      throw TEEError(.wire, "\(error)")
    }
  }

  private mutating func take(_ message: GuestMessage, _ onStarted: () -> Void) throws {
    switch message {
    case .started:
      isStarted = true
      onStarted()
      if let size = terminal?.size {
        send(.windowSize(rows: size.rows, columns: size.columns))
      }
    case .output(.standardError, let bytes): errorOutput.append(bytes)
    case .output(_, let bytes): output.append(bytes)
    case .inputCredit(let bytes): try inputCredit.add(bytes, on: .standardInput)
    case .exit(let status): exitStatus = status
    case .failure(let failure, let detail): throw TEEError(failure, detail: detail)
    default: break
    }
  }

  private mutating func readInput(_ room: Int) throws(TEEError) {
    switch try System.read(input, into: &buffer, max: room) {
    case .bytes:
      inputCredit.spend(buffer.count)
      send(.input(buffer))
    case .wouldBlock: break
    case .end:
      inputEnded = true
      send(.inputEnd)
    }
  }

  private mutating func takeSignals() {
    while let signal = signals.next() {
      switch Int32(signal) {
      case SIGCHLD: break
      case SIGWINCH:
        if isStarted, let size = terminal?.size {
          send(.windowSize(rows: size.rows, columns: size.columns))
        }
      default:
        if isStarted, SignalSource.forwardable.contains(signal) { send(.signal(signal)) }
      }
    }
  }
}
