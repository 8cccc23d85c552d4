import ArcaRuntime
import ArcaTEE
import ArgumentParser
import Foundation

/// The command line of an OCI runtime, which engines speak; people have Arca's own.
enum RuntimeCommands {
  /// Does what the arguments say and returns the exit status.
  static func run(_ arguments: [String]) -> Int32 {
    let line: OCICommandLine
    do throws(RuntimeError) {
      line = try OCICommandLine(arguments)
    } catch {
      complain("\(error)")
      return 1
    }
    do throws(RuntimeError) {
      return try perform(line)
    } catch {
      report(error, line)
      return line.operation == .exec ? Int32(error.exitStatus) : 1
    }
  }

  private static func perform(_ line: OCICommandLine) throws(RuntimeError) -> Int32 {
    switch line.operation {
    case .features:
      print(runtimeFeatures)
      return 0
    case .spec:
      try writeSpec(line.value("bundle") ?? ".")
      return 0
    case .checkpoint, .restore:
      throw RuntimeError(
        .unsupported,
        "\(line.operation.rawValue): a TEE's memory is encrypted and cannot be written to a file")
    default: break
    }
    let store = try OCIStore(line, Installation())
    if line.operation == .list {
      list(store.states(), line)
      return 0
    }
    let id = try line.id()
    switch line.operation {
    case .create:
      warn(store, line)
      try store.create(line)
    case .run:
      warn(store, line)
      return Int32(try store.run(line))
    case .state: print(json(try store.state(id)))
    case .kill:
      let signal = line.arguments.dropFirst().first ?? "TERM"
      try store.kill(id, signal: signal, all: line.has("all"))
    case .delete: try store.delete(id, force: line.has("force"))
    case .start: try store.start(id)
    case .pause, .resume: try store.pass([line.operation.rawValue, id], to: id)
    case .exec: return try store.execute(line)
    case .ps: try store.pass(["ps", id], to: id)
    case .update: try store.update(line)
    case .events:
      try store.events(line) { text in
        // At once, whatever standard output is.
        try? FileHandle.standardOutput.write(contentsOf: Data("\(text)\n".utf8))
      }
    default:
      throw RuntimeError(.unsupported, "\(line.operation.rawValue): not supported")
    }
    return 0
  }

  private static func list(_ states: [OCIStore.State], _ line: OCICommandLine) {
    if line.has("quiet") {
      for state in states { print(state.id) }
    } else if line.value("format") == "json" || line.value("force") == "json" {
      print(json(states))
    } else {
      print("ID\tPID\tSTATUS\tBUNDLE")
      for state in states { print("\(state.id)\t\(state.pid)\t\(state.status)\t\(state.bundle)") }
    }
  }

  private static func json(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  /// To standard error, and to the engine's log.
  private static func report(_ error: RuntimeError, _ line: OCICommandLine) {
    // One that stands for a program has told the process that waits for it.
    guard line.value(OCIStore.reporter) == nil else { return }
    complain("\(error)")
    log("error", "\(error)", line)
  }

  /// To the engine's log or, where there is none, to standard error, which may be the container's.
  private static func warn(_ store: OCIStore, _ line: OCICommandLine) {
    for text in store.warnings(line) where !log("warning", text, line) { complain(text) }
  }

  /// Adds a line to the engine's log, in the format that it asked for; false where it has none.
  @discardableResult
  private static func log(_ level: String, _ message: String, _ line: OCICommandLine) -> Bool {
    guard let path = line.value("log"), !path.isEmpty else { return false }
    let time = ISO8601DateFormatter().string(from: Date())
    var text = "time=\"\(time)\" level=\(level) msg=\"\(message)\"\n"
    if line.value("log-format") == "json" {
      struct Entry: Encodable {
        let level: String
        let msg: String
        let time: String
      }
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let entry = Entry(level: level, msg: message, time: time)
      guard let bytes = try? encoder.encode(entry) else { return false }
      text = String(decoding: bytes, as: UTF8.self) + "\n"
    }
    if !FileManager.default.fileExists(atPath: path) {
      _ = FileManager.default.createFile(atPath: path, contents: nil)
    }
    guard let file = FileHandle(forWritingAtPath: path) else { return false }
    _ = try? file.seekToEnd()
    try? file.write(contentsOf: Data(text.utf8))
    return true
  }

  private static func writeSpec(_ folder: String) throws(RuntimeError) {
    let path = folder + "/config.json"
    guard !FileManager.default.fileExists(atPath: path) else {
      throw RuntimeError(.name, "\(path): exists; remove it first", exitStatus: 1)
    }
    do {
      try Data((exampleBundle + "\n").utf8).write(to: URL(fileURLWithPath: path))
    } catch {
      throw RuntimeError(.state, "\(path): cannot be written: \(error)", exitStatus: 1)
    }
  }
}

/// What `features` prints (runtime-spec, "Features Structure").
private let runtimeFeatures = """
  {
    "ociVersionMin": "1.0.0",
    "ociVersionMax": "1.2.0",
    "hooks": ["prestart", "createRuntime", "createContainer", "poststart", "poststop"],
    "mountOptions": [],
    "linux": {
      "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "uts"],
      "cgroup": {"v1": true, "v2": true, "systemd": true, "systemdUser": false},
      "seccomp": {"enabled": false},
      "apparmor": {"enabled": false},
      "selinux": {"enabled": false}
    },
    "annotations": {"dev.arca.tee": "sim-snp"},
    "potentiallyUnsafeConfigAnnotations": []
  }
  """

/// The bundle that `spec` writes.
private let exampleBundle = """
  {
    "ociVersion": "1.0.2",
    "process": {
      "terminal": true,
      "user": {"uid": 0, "gid": 0},
      "args": ["sh"],
      "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      "cwd": "/",
      "capabilities": {"bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]},
      "noNewPrivileges": true
    },
    "root": {"path": "rootfs", "readonly": true},
    "hostname": "arca",
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
    "linux": {
      "namespaces": [
        {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}
      ]
    }
  }
  """
