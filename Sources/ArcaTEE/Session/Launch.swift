import ArcaBytes
import ArcaWire
import Glibc

/// One launch, from QEMU's start to the workload's end: the launcher's whole life.
public struct Launch {
  private let description: LaunchDescription
  private let signals: SignalSource
  private let supervisor: Int32?
  private let terminal: Terminal?
  private var vmm: VMM
  private var session = GuestSession()
  private var console = ConsoleTail()
  private var clock: ProgressClock
  private var output = OutputStream(1)
  private var errorOutput = OutputStream(2)
  private var status: LaunchStatus
  private var tee: LaunchedTEE
  private var relay: BrokerRelay
  /// Where an engine's `exec` asks; an `arca` that supervises has no such thing.
  private var executions: ExecutionRelay?
  private var pendingSignals: [UInt8] = []
  private var exitStatus: UInt8?
  private var isGuestGone = false
  /// Once the terminal of `arca run` has gone: when the workload is ended.
  private var endMicroseconds: UInt64?
  private var buffer: [UInt8] = []

  /// How long a workload has to end by itself once its terminal has gone.
  private static let hangUpMicroseconds: UInt64 = 10_000_000

  /// Runs what `OuterPath.job` describes and returns the status to exit with.
  public static func run() -> UInt8 {
    var status = LaunchStatus()
    status.note(.launcher)
    var isSupervised = true
    do {
      let encoded = try System.contents(OuterPath.job + "/launch", max: 1 << 16)
      let description = try LaunchDescription(decoding: encoded)
      isSupervised = description.isSupervised
      var launch = try Launch(description, status)
      return launch.run()
    } catch {
      return record(error, status, isSupervised)
    }
  }

  private static func record(
    _ error: TEEError, _ status: LaunchStatus, _ isSupervised: Bool
  ) -> UInt8 {
    // An engine shows what a container says on standard error, and nothing else of it.
    if !isSupervised {
      let text = "arca: \(error.code): \(error.detail)\n"
      _ = try? System.write(2, Array(text.utf8), from: 0, max: 4096)
    }
    var final = status
    final.state = .failed
    final.error = error
    final.exitStatus = error.exitStatus
    try? System.replace(OuterPath.result + "/status", with: final.encoded())
    return final.exitStatus
  }

  private init(
    _ description: LaunchDescription, _ begun: LaunchStatus
  ) throws(TEEError) {
    self.description = description
    status = begun
    signals = try SignalSource()
    supervisor = description.isSupervised ? OuterPath.supervisorDescriptor : nil
    if let supervisor { System.setNonBlocking(supervisor) }
    relay = BrokerRelay(description.keyBroker, supervisor: supervisor)
    executions = description.isSupervised ? nil : try ExecutionRelay()
    terminal = description.hasTerminal ? Terminal(0) : nil
    // It starts first, and boots while the files are measured; nothing is handed in before that.
    let (source, line) = (signals, supervisor)
    vmm = try Self.start(description) {
      source.next().map { [SIGINT, SIGTERM, SIGHUP].contains(Int32($0)) } == true
        || line.map(System.hasHungUp) == true
    }
    status.note(.vmm)
    clock = ProgressClock(pid: vmm.pid)
    tee = try LaunchedTEE(description)
    status.measurement = tee.measurement.measurement
    status.note(.measured)
    if let monitor = vmm.monitor {
      var control = try SEVLaunchControl(monitor: monitor, folder: OuterPath.result)
      let (signals, supervisor) = (signals, OuterPath.supervisorDescriptor)
      try control.measure()
      try publish()
      try control.resume(afterOwner: description.hardware?.hasSession == true) {
        signals.next().map { [SIGINT, SIGTERM, SIGHUP].contains(Int32($0)) } == true
          || System.hasHungUp(supervisor)
      }
      clock.restart()
    }
  }

  private static func start(
    _ description: LaunchDescription, isGivenUp: () -> Bool
  ) throws(TEEError) -> VMM {
    if description.usesGramine {
      return try VMM(
        gramineFor: description.kind, passesInput: description.passesInput, isGivenUp: isGivenUp)
    }
    if description.kind.isEnclave {
      let manifest = try System.contents(OuterPath.enclaveManifest, max: TrustedFiles.bytesMax)
      return try VMM(
        enclaveWith: EnclaveEnvironment(manifest: manifest).variables,
        passesInput: description.passesInput)
    }
    let commandLine = try System.contents(OuterPath.guest + "/cmdline", max: 4096)
    return try VMM(
      QEMUOptions(
        description,
        commandLine: BootedFiles.text(
          ofCommandLine: commandLine, description.kind, workload: description.hostData)))
  }

  private mutating func run() -> UInt8 {
    terminal?.makeRaw()
    defer { terminal?.restore() }
    do {
      try publish()
      while !isFinished { try step() }
      vmm.kill()
      status.state = .exited
      status.exitStatus = exitStatus ?? 125
      status.note(.ended)
      try publish()
      return status.exitStatus
    } catch {
      vmm.kill()
      return Self.record(explained(error), status, description.isSupervised)
    }
  }

  private var isFinished: Bool {
    exitStatus != nil && output.isEmpty && errorOutput.isEmpty
  }

  private func publish() throws(TEEError) {
    try System.replace(OuterPath.result + "/status", with: status.encoded())
    // One byte wakes the supervisor; whether it listens does not matter.
    if let supervisor {
      _ = try? System.write(supervisor, [SupervisorLine.hasNews], from: 0, max: 1)
    }
  }

  /// The console often knows more than the symptom does.
  private mutating func explained(_ error: TEEError) -> TEEError {
    guard error.code == .vmm || error.code == .startTimeout else { return error }
    console.end()
    return console.error
      ?? TEEError(
        error.code,
        "\(error.detail): \(description.usesGramine ? VMM.gramineSays() : console.last(5))")
  }

  // MARK: - One round of waiting and relaying

  private mutating func step() throws(TEEError) {
    // An enclave's workload has the launcher's own standard streams.
    let isEnclave = description.kind.isEnclave
    let wantsInput = description.passesInput && session.inputBytesMax > 0 && !isEnclave
    let watchesTerminal = terminal != nil && supervisor != nil && endMicroseconds == nil
    let inputEvents = Int16(wantsInput && endMicroseconds == nil ? POLLIN : 0)
    // The order of these is the order of their handlers below.
    var waits = [
      pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: supervisor ?? -1, events: Int16(POLLIN), revents: 0),
      pollfd(
        fd: isGuestGone || exitStatus != nil ? -1 : vmm.channel,
        events: Int16(session.outgoing.isEmpty ? POLLIN : POLLIN | POLLOUT), revents: 0),
      pollfd(
        fd: isGuestGone || exitStatus != nil ? -1 : vmm.console, events: Int16(POLLIN), revents: 0),
      pollfd(fd: watchesTerminal || inputEvents != 0 ? 0 : -1, events: inputEvents, revents: 0),
      pollfd(fd: output.isEmpty ? -1 : 1, events: Int16(POLLOUT), revents: 0),
      pollfd(fd: errorOutput.isEmpty ? -1 : 2, events: Int16(POLLOUT), revents: 0),
      pollfd(fd: relay.line, events: Int16(POLLIN), revents: 0),
      relay.wait(session),
    ]
    let own = waits.count
    if session.isRunning, let executions { waits += executions.pollItems }
    let isPatient = (session.isRunning || session.hasEnded) && endMicroseconds == nil
    let timeout: Int32 = isPatient ? -1 : 1000
    try System.poll(&waits, timeoutMilliseconds: timeout)
    if waits.count > own, let messages = executions?.take(waits[own...]) {
      for message in messages { session.send(message) }
    }
    if waits[3].revents != 0 { try readConsole() }
    if waits[2].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { try readChannel() }
    if waits[0].revents != 0 { try takeSignals() }
    if waits[1].revents != 0 { try readSupervisor() }
    if watchesTerminal, waits[4].revents & Int16(POLLHUP) != 0 {
      try hangUp()
    } else if waits[4].revents != 0 {
      try readInput()
    }
    if waits[5].revents != 0 { session.consumed(try output.write(), of: .standardOutput) }
    if waits[6].revents != 0 { session.consumed(try errorOutput.write(), of: .standardError) }
    if waits[7].revents != 0 { try readLine(relay.line) }
    if waits[8].revents != 0 { try relay.move(&session) }
    if !session.outgoing.isEmpty, !isGuestGone {
      _ = try session.outgoing.write(to: vmm.channel, max: 1 << 18)
    }
    guard exitStatus == nil else { return }
    if let endMicroseconds, System.monotonicMicroseconds >= endMicroseconds {
      exitStatus = UInt8(128 + SIGHUP)
    }
    if !session.isRunning, clock.isExpired {
      throw TEEError(
        .startTimeout,
        "the guest came no stage further in \(ProgressClock.limitMicroseconds / 1_000_000) s in "
          + "which it could have run; its console's last lines")
    }
  }

  private mutating func readChannel() throws(TEEError) {
    switch try System.read(vmm.channel, into: &buffer, max: 1 << 16) {
    case .bytes: for event in try session.receive(buffer) { try handle(event) }
    case .wouldBlock: break
    case .end: try guestHasGone()
    }
  }

  private mutating func handle(_ event: GuestSession.Event) throws(TEEError) {
    clock.restart()
    switch event {
    case .ready:
      status.note(.ready)
      session.send(.manifest(try tee.checkedManifest()))
      // Hardware gives evidence inside: nothing of the guest's comes before these are due.
      if !description.kind.isSimulated { try sendInput() }
    case .evidenceRequest(let reportData):
      let evidence = try tee.evidence(over: reportData)
      session.send(.evidence(evidence))
      // The first is of the guest's start, and goes into the host's records.
      guard status.marks[.evidence] == nil else { return }
      try keep(evidence, "evidence")
      try sendInput()
    case .evidence(let evidence): try keep(evidence, "evidence")
    case .eventLog(let log): try keep(log, "event-log")
    // In an enclave the end of the line says so; what may still come is that execve failed.
    case .started: if !description.kind.isEnclave { try workloadHasStarted() }
    case .output(.standardError, let bytes): errorOutput.append(bytes)
    case .output(_, let bytes): output.append(bytes)
    case .log(let text): console.append(text + [UInt8(ascii: "\n")])
    case .exit(let code):
      exitStatus = code
      executions?.finish()
    case .ofSession(let number, let message):
      for answer in executions?.deliver(message, session: number) ?? [] { session.send(answer) }
    case .broker(let event): try relay.take(event, &session)
    }
  }

  private mutating func workloadHasStarted() throws(TEEError) {
    status.note(.started)
    status.state = .running
    try publish()
    for signal in pendingSignals { pass(signal) }
    pendingSignals = []
    if let size = terminal?.size {
      session.send(.windowSize(rows: size.rows, columns: size.columns))
    }
    if !description.passesInput { session.sendInput([]) }
  }

  private mutating func sendInput() throws(TEEError) {
    session.send(.hostInput(try System.contents(OuterPath.job + "/host-input", max: 1 << 20)))
    session.send(.start)
  }

  private mutating func keep(_ bytes: [UInt8], _ name: String) throws(TEEError) {
    try System.replace(OuterPath.result + "/" + name, with: bytes)
    status.note(.evidence)
  }

  private mutating func guestHasGone() throws(TEEError) {
    isGuestGone = true
    // An enclave's line closes as the workload takes the place of arca-init.
    if description.kind.isEnclave, session.isRunning { return try workloadHasStarted() }
    try readConsole()
    guard exitStatus == nil else { return }
    throw TEEError(
      .vmm,
      "\(description.kind.isEnclave ? "arca-init" : "QEMU") ended before the workload did "
        + "(exit status \(System.reap(vmm.pid) ?? 0)); last lines")
  }

  private mutating func readConsole() throws(TEEError) {
    guard vmm.console >= 0 else { return }
    while case .bytes = try System.read(vmm.console, into: &buffer, max: 1 << 14) {
      console.append(buffer)
    }
    // A guest that panicked may stay; the rest of its story is not worth a wait.
    if exitStatus == nil, console.panic != nil, let error = console.error { throw error }
  }

  private mutating func readInput() throws(TEEError) {
    switch try System.read(0, into: &buffer, max: session.inputBytesMax) {
    case .bytes: session.sendInput(buffer)
    case .wouldBlock: break
    case .end: session.sendInput([])
    }
  }

  /// The workload is told as a terminal tells, and has a while to end: nobody reaches it any more.
  private mutating func hangUp() throws(TEEError) {
    endMicroseconds = System.monotonicMicroseconds + Self.hangUpMicroseconds
    try take(UInt8(SIGHUP))
  }

  // MARK: - Signals

  private mutating func takeSignals() throws(TEEError) {
    while let signal = signals.next() { try take(signal) }
  }

  /// The supervisor passes signals on, a byte each; its end means that it has gone.
  private mutating func readSupervisor() throws(TEEError) {
    if let supervisor { try readLine(supervisor) }
  }

  private mutating func readLine(_ line: Int32) throws(TEEError) {
    switch try System.receive(line, into: &buffer, max: 1500) {
    case (.bytes, let passed):
      for byte in buffer {
        if let signal = relay.takeAnswer(byte, passed, &session) { try take(signal) }
      }
    case (.wouldBlock, _): break
    case (.end, _):
      throw TEEError(.supervisorGone, "arca has gone; the workload is ended with it")
    }
  }

  private mutating func pass(_ signal: UInt8) {
    if description.kind.isEnclave {
      kill(vmm.pid, Int32(signal))
    } else {
      session.send(.signal(signal))
    }
  }

  private mutating func take(_ signal: UInt8) throws(TEEError) {
    switch Int32(signal) {
    case SIGCHLD:
      guard description.kind.isEnclave else { return }
      while let ended = System.reapAny() {
        if ended.pid == vmm.pid { exitStatus = UInt8(truncatingIfNeeded: ended.status) }
      }
    case SIGWINCH:
      if session.isRunning, let size = terminal?.size {
        session.send(.windowSize(rows: size.rows, columns: size.columns))
      }
    default:
      guard SignalSource.forwardable.contains(signal), exitStatus == nil else { return }
      if session.isRunning {
        pass(signal)
      } else if [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(Int32(signal)) {
        exitStatus = 128 + signal
      } else {
        pendingSignals.append(signal)
      }
    }
  }
}
