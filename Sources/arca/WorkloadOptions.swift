import ArcaImage
import ArcaManifest
import ArcaManifestText
import ArcaRuntime
import ArgumentParser
import Foundation

/// The options that become part of a derived manifest, so of the workload digest.
///
/// `arca run`, `arca measure` and `arca manifest derive` take the same ones, with podman's names.
struct WorkloadOptions: ParsableArguments {
  @Option(name: [.short, .long], help: "Set an environment variable: NAME=value, or NAME to copy.")
  var env: [String] = []

  @Option(help: "Read environment variables, NAME=value a line, from a file.")
  var envFile: [String] = []

  @Option(name: [.short, .long], help: "Run as user[:group], names or numbers.")
  var user: String?

  @Option(name: [.short, .long], help: "The working directory inside.")
  var workdir: String?

  @Option(help: "The host name inside.")
  var hostname: String?

  @Option(help: "Run this program in place of the image's Entrypoint.")
  var entrypoint: String?

  @Flag(help: "Give the workload a root file system that takes no writes.")
  var readOnly = false

  @Option(help: "The size of the overlay in memory that takes writes.")
  var overlaySize: ByteSize?

  @Option(help: "Mount a tmpfs: /path[:size=64m,mode=1777].")
  var tmpfs: [String] = []

  @Option(help: "Add a capability, or ALL.")
  var capAdd: [String] = []

  @Option(help: "Drop a capability, or ALL; dropping comes before adding.")
  var capDrop: [String] = []

  @Option(help: "Set a resource limit: nofile=1024[:4096].")
  var ulimit: [String] = []

  @Option(help: "`no-new-privileges` keeps execve from raising privileges.")
  var securityOpt: [String] = []

  @Option(help: "The signal that asks the workload to stop.")
  var stopSignal: String?

  @Flag(help: "Let the host run more programs beside the workload, as an engine's exec does.")
  var allowExec = false

  @Option(
    help: ArgumentHelp(
      "Let the host share a folder of its own at this path: untrusted, and nothing in it is "
        + "executed.", valueName: "path"))
  var shareFolder: [String] = []

  @OptionGroup(title: "Secrets") var secrets: SecretOptions

  @OptionGroup(title: "Pod") var pod: PodOptions

  /// What the options, with `command` after the image's name, change about the derived manifest.
  func manifestOptions(command: [String]) throws -> ManifestOptions {
    var options = ManifestOptions()
    options.command = command
    options.entrypoint = entrypoint.map { $0.isEmpty ? [] : [$0] }
    options.env = try environment()
    options.user = user
    options.workingDir = workdir
    options.hostname = hostname
    options.mounts = try tmpfs.map(Self.mount)
    options.readOnly = readOnly
    options.writableBytes = overlaySize?.bytes
    options.addCapabilities = capAdd
    options.dropCapabilities = capDrop
    options.rlimits = try ulimit.map(Self.limit)
    options.stopSignal = stopSignal
    options.allowsExecute = allowExec
    options.shareFolders = shareFolder
    try secrets.apply(to: &options)
    try pod.apply(to: &options)
    for option in securityOpt {
      guard
        ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"]
          .contains(option)
      else {
        throw ValidationError("--security-opt \(option): expected no-new-privileges")
      }
      options.noNewPrivileges = true
    }
    return options
  }

  /// Refuses what is the owner's alone, and no rule of a finished manifest can allow the host.
  func refuseOwnersOptions() throws {
    let given: [(String, Bool)] = [
      ("--user", user != nil), ("--workdir", workdir != nil), ("--entrypoint", entrypoint != nil),
      ("--read-only", readOnly), ("--overlay-size", overlaySize != nil),
      ("--tmpfs", !tmpfs.isEmpty), ("--cap-add", !capAdd.isEmpty),
      ("--cap-drop", !capDrop.isEmpty), ("--ulimit", !ulimit.isEmpty),
      ("--security-opt", !securityOpt.isEmpty), ("--stop-signal", stopSignal != nil),
      ("--allow-exec", allowExec), ("--share-folder", !shareFolder.isEmpty),
      ("--secret, --key-broker", !secrets.isEmpty), ("--pod-member", !pod.isEmpty),
    ]
    if let option = given.first(where: { $0.1 })?.0 {
      throw ValidationError("\(option): the workload's manifest says that; change it there")
    }
  }

  /// The manifest of `image`: its own, or one derived from it, the options and what followed the
  /// image's name.
  func derivedManifest(
    of image: PreparedImage, _ trailing: [String]
  ) throws -> WorkloadManifest {
    if let own = image.workloadManifest {
      try refuseOwnersOptions()
      guard try environment().isEmpty, hostname == nil, withoutTerminator(trailing).isEmpty else {
        throw ValidationError(
          "the image brings its own manifest; what the host adds is not part of it")
      }
      return own
    }
    return try image.derivedManifest(try manifestOptions(command: withoutTerminator(trailing)))
  }

  /// The variables of the files, then those of the options, so that the latter win.
  func environment() throws -> [String] {
    var variables: [String] = []
    for file in envFile {
      guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
        throw ValidationError("--env-file \(file): cannot be read as UTF-8 text")
      }
      variables += text.split(whereSeparator: \.isNewline).map(String.init)
        .filter { !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace) }
    }
    return try (variables + env).compactMap { variable in
      guard let equals = variable.firstIndex(of: "=") else {
        return ProcessInfo.processInfo.environment[variable].map { "\(variable)=\($0)" }
      }
      guard equals != variable.startIndex else {
        throw ValidationError("--env \(variable): expected NAME=value")
      }
      return variable
    }
  }

  private static func mount(_ text: String) throws -> TemporaryMount {
    let parts = text.split(separator: ":", maxSplits: 1)
    var mount = TemporaryMount(
      destination: parts.first.map(String.init) ?? "", sizeBytes: 64 << 20, mode: 0o1777)
    for option in parts.dropFirst().first?.split(separator: ",") ?? [] {
      let pair = option.split(separator: "=", maxSplits: 1).map(String.init)
      switch pair.first {
      case "size":
        guard let size = pair.last.flatMap(ByteSize.init(argument:)) else {
          throw ValidationError("--tmpfs \(text): expected size=NUMBER[k|m|g]")
        }
        mount.sizeBytes = size.bytes
      case "mode":
        guard let mode = pair.last.flatMap({ UInt32($0, radix: 8) }) else {
          throw ValidationError("--tmpfs \(text): expected mode=OCTAL")
        }
        mount.mode = mode
      case "rw": break
      default:
        throw ValidationError("--tmpfs \(text): found \(option), expected size=, mode= or rw")
      }
    }
    return mount
  }

  private static func limit(_ text: String) throws -> ResourceLimit {
    let parts = text.split(separator: "=", maxSplits: 1)
    let bounds = parts.dropFirst().first?.split(separator: ":").map {
      ["unlimited", "-1"].contains($0) ? UInt64.max : UInt64($0)
    }
    guard let name = parts.first, let number = LinuxNames.rlimit(String(name)), let bounds,
      (1...2).contains(bounds.count), let soft = bounds[0], let hard = bounds[bounds.count - 1]
    else {
      throw ValidationError("--ulimit \(text): expected NAME=SOFT[:HARD], such as nofile=1024:4096")
    }
    return ResourceLimit(resource: number, soft: soft, hard: hard)
  }
}

/// Finds or converts the image, with progress on a terminal.
func prepareImage(
  _ reference: String, signatures: SignatureRules? = nil
) throws -> PreparedImage {
  let progress = ProgressLine()
  defer { progress.end() }
  return try ImageStore(dataDirectory: Installation().data).prepare(
    reference: reference, showsTransfer: isTerminal(2), signatures: signatures,
    progress: progress.handler)
}

/// What follows the image's name, without a `--` in front.
func withoutTerminator(_ trailing: [String]) -> [String] {
  trailing.first == "--" ? Array(trailing.dropFirst()) : trailing
}

/// A number of bytes with an optional unit: `64m`, `1g`, `4096`, `512k`, `1GiB`.
struct ByteSize: ExpressibleByArgument {
  let bytes: UInt64

  init?(argument: String) {
    let digits = argument.prefix(while: \.isNumber)
    guard let number = UInt64(digits) else { return nil }
    let shifts: [String: UInt64] = ["": 0, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40]
    var unit = argument.dropFirst(digits.count).lowercased()
    if unit.count > 1 {
      unit = String(unit.prefix(1)) + unit.dropFirst().drop { "ib".contains($0) }
    }
    guard let shift = shifts[unit] else { return nil }
    let (value, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    guard !overflow else { return nil }
    bytes = value
  }
}
