import ArcaManifest
import ArcaManifestText
import ArcaOCI
import ArcaTEE
import CArcaHost
import Foundation

extension OCIStore {
  /// `exec`: runs a program beside the workload, where the manifest lets the host.
  ///
  /// With `--detach`, returns once the program runs; a process of its own then stands for it, whose
  /// number is in the pid-file and whose exit status is the program's.
  public func execute(_ line: OCICommandLine) throws(RuntimeError) -> Int32 {
    let container = try find(try line.id())
    let manifest = try manifest(of: container)
    let process = try process(line, manifest)
    let needsSession = line.value("console-socket") != nil
    if line.value(Self.reporter) == nil, line.has("detach") || needsSession {
      return try delegate(line)
    }
    let terminal = process.terminal == true
    do {
      let request = ExecutionRequest(
        process: try workload(process, manifest), terminal: terminal ? size(process) : nil)
      _ = try request.process(in: manifest)
      var descriptors: (Int32, Int32, Int32) = (0, 1, 2)
      if terminal, let socket = line.value("console-socket") {
        let size = size(process)
        let console = try System.openConsole(socket, rows: size.rows, columns: size.columns)
        descriptors = (console, console, console)
      }
      var client = try ExecutionClient(
        folder: container.folder + "/run", descriptors: descriptors, hasTerminal: terminal,
        signals: try SignalSource())
      let status = try client.run(request.encoded()) {
        if line.value(Self.reporter) == nil {
          if let path = line.value("pid-file") {
            try? System.replace(path, with: Array(String(getpid()).utf8))
          }
        } else {
          _ = try? System.write(3, [0], from: 0, max: 1)
          close(3)
        }
      }
      return Int32(status)
    } catch let error as ManifestError {
      throw report(RuntimeError(.manifest, "exec: \(ManifestText.describe(error))"), line)
    } catch let error as TEEError {
      throw report(
        RuntimeError(
          .tee, "exec: \(describe(error))\(Self.engineWords(error))", exitStatus: error.exitStatus),
        line)
    } catch let error as RuntimeError {
      throw report(error, line)
    } catch {
      throw report(RuntimeError(.tee, "exec: \(error)"), line)
    }
  }

  /// The words by which engines tell these from other errors.
  private static func engineWords(_ error: TEEError) -> String {
    switch error.code {
    case .commandNotFound: ": executable file not found in $PATH"
    case .commandNotExecutable: ": permission denied"
    default: ""
    }
  }

  /// The option by which a process knows that it stands for a program.
  ///
  /// Its descriptor 3 takes its report.
  public static let reporter = "arca-reporter"

  /// Tells the process that waits for the start what came in its way.
  private func report(_ error: RuntimeError, _ line: OCICommandLine) -> RuntimeError {
    if line.value(Self.reporter) != nil {
      let bytes = [error.exitStatus] + Array(error.detail.utf8.prefix(1024))
      _ = try? System.write(3, bytes, from: 0, max: bytes.count)
      close(3)
    }
    return error
  }

  /// Starts the process that stands for the program, and waits until that runs.
  private func delegate(_ line: OCICommandLine) throws(RuntimeError) -> Int32 {
    var arguments = Array(CommandLine.arguments.dropFirst())
    guard let place = arguments.firstIndex(of: "exec") else {
      throw RuntimeError(.usage, "exec: expected the operation by its name")
    }
    arguments.insert("--\(Self.reporter)=3", at: place + 1)
    do {
      let (ours, theirs) = try System.socketPair()
      defer { close(ours) }
      let pid: Int32
      do {
        defer { close(theirs) }
        pid = try System.spawn(
          [Installation.program] + arguments,
          environment: ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" },
          descriptors: [0, 1, 2, theirs], flags: Int(ARCA_SPAWN_SESSION))
      }
      var waits = [pollfd(fd: ours, events: Int16(POLLIN), revents: 0)]
      try System.poll(&waits, timeoutMilliseconds: -1)
      var answer: [UInt8] = []
      guard case .bytes = try System.read(ours, into: &answer, max: 2048), answer.first == 0 else {
        let status = System.reap(pid, wait: true) ?? 255
        let text = printable(answer.dropFirst())
        throw RuntimeError(
          .tee, text.isEmpty ? "exec: the process for it ended (\(status))" : text,
          exitStatus: answer.first ?? 255)
      }
      if let path = line.value("pid-file") {
        try System.replace(path, with: Array(String(pid).utf8))
      }
      if line.has("detach") { return 0 }
      return System.reap(pid, wait: true) ?? 255
    } catch let error as TEEError {
      throw RuntimeError(error)
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "exec: \(error)")
    }
  }

  private func manifest(of container: OCIContainer) throws(RuntimeError) -> WorkloadManifest {
    do {
      let bytes = try System.contents(container.folder + "/job/manifest", max: 1 << 20)
      let input = try System.contents(container.folder + "/job/host-input", max: 1 << 20)
      return try WorkloadManifest(decoding: bytes).merged(with: HostInput(decoding: input))
    } catch {
      throw RuntimeError(
        .unsupported, "exec: container \(container.record.id) has no TEE to run a program in")
    }
  }

  /// The process of `--process`, or of the command line's own options.
  private func process(
    _ line: OCICommandLine, _ manifest: WorkloadManifest
  ) throws(RuntimeError) -> BundleSpec.Process {
    if let path = line.value("process") {
      do {
        return try JSONDecoder().decode(
          BundleSpec.Process.self, from: Data(try System.contents(path, max: 4 << 20)))
      } catch {
        throw RuntimeError(
          .usage, "--process \(path): not a process of the specification: \(error)")
      }
    }
    var process = BundleSpec.Process(cwd: line.value("cwd") ?? manifest.process.cwd)
    process.args = Array(line.arguments.dropFirst())
    process.env = manifest.process.env + (line.options["env"] ?? [])
    process.terminal = line.has("tty")
    var user = BundleSpec.User()
    user.uid = manifest.process.uid
    user.gid = manifest.process.gid
    if let text = line.value("user") {
      let ids = text.split(separator: ":").map { UInt32($0) }
      guard let uid = ids.first ?? nil, ids.count == 1 || ids[1] != nil else {
        throw RuntimeError(.usage, "--user \(text): expected numbers, uid[:gid]")
      }
      user.uid = uid
      user.gid = ids.count > 1 ? ids[1] : user.gid
    }
    process.user = user
    return process
  }

  private func size(_ process: BundleSpec.Process) -> HostInput.TerminalSize {
    HostInput.TerminalSize(
      rows: process.consoleSize?.height ?? 24, columns: process.consoleSize?.width ?? 80)
  }

  private func workload(
    _ process: BundleSpec.Process, _ manifest: WorkloadManifest
  ) throws(RuntimeError) -> WorkloadProcess {
    var capabilities = manifest.process.capabilities
    var ambient = manifest.process.ambientCapabilities
    if let sets = process.capabilities {
      capabilities = try mask(sets.bounding ?? [])
      ambient = try mask(sets.ambient ?? []) & capabilities
    }
    var result = WorkloadProcess(
      args: process.args ?? [], env: process.env ?? [], cwd: process.cwd,
      uid: process.user?.uid ?? 0, gid: process.user?.gid ?? 0,
      additionalGids: process.user?.additionalGids ?? [], umask: process.user?.umask ?? 0o022,
      capabilities: capabilities, noNewPrivileges: process.noNewPrivileges ?? false)
    result.ambientCapabilities = ambient
    return result
  }

  private func mask(_ names: [String]) throws(RuntimeError) -> UInt64 {
    var mask: UInt64 = 0
    for name in names {
      guard let bit = LinuxNames.capability(name) else {
        throw RuntimeError(.usage, "exec: no capability is called \(name)")
      }
      mask |= 1 << UInt64(bit)
    }
    return mask
  }
}
