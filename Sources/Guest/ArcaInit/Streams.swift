import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// The workload's standard streams: three pipes, or one terminal.
struct Streams {
  /// The two ends of one stream; -1 where there is none.
  typealias Ends = (ours: Int32, workload: Int32)

  let input: Ends
  let output: Ends
  let error: Ends
  let isTerminal: Bool

  /// A terminal of the size that is asked for, or pipes; the workload's terminal is also its
  /// console.
  init(
    for process: WorkloadProcess, terminal: HostInput.TerminalSize?, isConsole: Bool
  ) throws(InitError) {
    self = try step(.environment, "standard streams") { () throws(SystemError) in
      guard let terminal else { return try Streams(pipesFor: process) }
      return try Streams(terminalFor: process, terminal, isConsole: isConsole)
    }
  }

  /// Pipes rather than sockets, since programs open `/dev/stdout` anew.
  private init(pipesFor process: WorkloadProcess) throws(SystemError) {
    let (input, output, error) = (try System.pipe(), try System.pipe(), try System.pipe())
    self.input = (input.writing, input.reading)
    self.output = (output.reading, output.writing)
    self.error = (error.reading, error.writing)
    isTerminal = false
    for end in [self.input, self.output, self.error] {
      try System.dontBlock(end.ours)
      try System.call(fchown(end.workload, process.uid, process.gid))
    }
  }

  private init(
    terminalFor process: WorkloadProcess, _ size: HostInput.TerminalSize, isConsole: Bool
  ) throws(SystemError) {
    let (ends, path) = try System.openTerminal(uid: process.uid)
    try System.resizeTerminal(ends.ours, rows: size.rows, columns: size.columns)
    if isConsole {
      try File.write("/dev/console", [], mode: 0o600)
      try System.mount(path, "/dev/console", "", MS_BIND)
    }
    input = (-1, ends.workload)
    output = ends
    error = input
    isTerminal = true
  }

  func closeWorkloadEnds() {
    System.close(input.workload)
    if isTerminal { return }
    System.close(output.workload)
    System.close(error.workload)
  }

  func closeOurEnds() {
    for end in [input, output, error] where end.ours >= 0 { System.close(end.ours) }
  }
}
