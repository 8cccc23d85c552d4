/// The command line of an OCI runtime, as engines call it (runc's options; runtime-spec names only
/// the operations).
public struct OCICommandLine: Sendable, Equatable {
  /// The operations.
  public enum Operation: String, Sendable, CaseIterable {
    /// The life of a container.
    case create, start, state, kill, delete, run
    /// What is asked of one that runs.
    case exec, events, pause, resume, update, ps
    /// What is asked of the runtime.
    case list, features, spec
    /// Refused: a TEE's memory cannot be written to a file.
    case checkpoint, restore
  }

  /// What to do.
  public var operation: Operation
  /// Options and their values, without dashes; a flag's value is empty.
  public var options: [String: [String]] = [:]
  /// What is not an option.
  public var arguments: [String] = []

  private static let flags: Set<String> = [
    "debug", "systemd-cgroup", "no-pivot", "no-new-keyring", "force", "all", "detach", "tty",
    "stats", "no-new-privs", "no-subreaper", "keep", "quiet", "ignore-paused", "version", "help",
  ]
  private static let short: [String: String] = [
    "b": "bundle", "f": "force", "a": "all", "d": "detach", "t": "tty", "p": "process", "u": "user",
    "e": "env", "q": "quiet", "r": "resources", "c": "cap", "v": "version", "h": "help",
  ]

  /// Whether `arguments`, without the program's name, speak this language rather than Arca's own.
  ///
  /// `run` and `ps` are commands of both: they are meant so where a global option of OCI runtimes
  /// stands before them, or where `run` has `--bundle`.
  public static func isMeant(by arguments: [String]) -> Bool {
    guard let first = arguments.first else { return false }
    if first == "run" {
      let own = arguments.prefix { $0 != "--" }
      return own.contains { $0 == "--bundle" || $0.hasPrefix("--bundle=") }
    }
    if first == "ps" { return false }
    if first.hasPrefix("-") {
      return [
        "root", "log", "log-format", "log-level", "debug", "systemd-cgroup", "rootless",
        "cgroup-manager",
      ].contains {
        first == "--\($0)" || first.hasPrefix("--\($0)=")
      }
    }
    return Operation(rawValue: first) != nil
  }

  /// Reads the arguments, without the program's name.
  public init(_ arguments: [String]) throws(RuntimeError) {
    var operation: Operation?
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("-"), argument != "-" else {
        if operation == nil {
          guard let found = Operation(rawValue: argument) else {
            throw RuntimeError(.usage, "\(argument): no operation of an OCI runtime is called so")
          }
          operation = found
        } else {
          self.arguments.append(argument)
          // What follows the container's id is a command of exec's, or a signal of kill's.
          if operation == .exec || operation == .kill || operation == .ps {
            self.arguments += rest
            rest = []
          }
        }
        continue
      }
      if argument == "--" {
        self.arguments += rest
        break
      }
      let parts = argument.drop { $0 == "-" }.split(
        separator: "=", maxSplits: 1, omittingEmptySubsequences: false
      ).map(String.init)
      let bare = parts.first ?? ""
      let name = argument.hasPrefix("--") ? bare : Self.short[bare] ?? bare
      // `-f` is `--force` of delete, `--format` of list and others.
      let isFlag = Self.flags.contains(name) && !(name == "process" && operation == .exec)
      if parts.count == 2 {
        options[name, default: []].append(parts[1])
      } else if isFlag {
        options[name, default: []].append("")
      } else if let value = rest.popFirst() {
        options[name, default: []].append(value)
      } else {
        throw RuntimeError(.usage, "--\(name): expected a value")
      }
    }
    guard let operation else {
      throw RuntimeError(.usage, "expected an operation, such as create, start or state")
    }
    self.operation = operation
  }

  /// The last value of an option, or nil.
  public func value(_ name: String) -> String? { options[name]?.last }

  /// Whether a flag is given and not `=false`.
  public func has(_ name: String) -> Bool { options[name].map { $0.last != "false" } ?? false }

  /// The container's id, which becomes a folder's name.
  public func id() throws(RuntimeError) -> String {
    guard let id = arguments.first else {
      throw RuntimeError(.usage, "\(operation.rawValue): expected the container's id")
    }
    let isName =
      (1...1024).contains(id.utf8.count) && !id.hasPrefix(".")
      && id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_+-.".contains($0)) }
    guard isName else {
      throw RuntimeError(
        .usage, "container id \(printableID(id)): expected letters, digits, '_', '+', '-' and '.'")
    }
    return id
  }

  private func printableID(_ id: String) -> String {
    String(id.prefix(64).filter { !$0.isNewline })
  }
}
