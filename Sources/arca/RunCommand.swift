import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaManifestText
import ArcaRuntime
import ArcaTEE
import ArgumentParser
import Foundation

/// `arca run`: a container in a TEE of its own.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a command in a new container, in a TEE of its own.",
    discussion: """
      Without --manifest, the options are the owner's: they go into the derived manifest, so into
      the workload digest. With --manifest, or with an Arca image, which brings its own, the
      command, --env, --hostname and --tty are the host's requests, and the manifest's hostMay
      decides about them.

      Exit status: the workload's; 127 where its program does not exist, 126 where it cannot be
      executed, 128 + n where signal n ended it, 125 where Arca itself failed.
      """)

  @OptionGroup var workload: WorkloadOptions

  @Flag(name: [.short, .long], help: "Pass standard input to the workload.")
  var interactive = false

  @Flag(
    name: [.short, .long],
    help: "Give the workload a terminal; with --detach, one that only `arca logs` reads.")
  var tty = false

  @Flag(name: [.short, .long], help: "Run in the background and print the container's id.")
  var detach = false

  @Flag(help: "Remove the container once it has ended.")
  var rm = false

  @Option(help: "The container's name.")
  var name: String?

  @Option(name: [.short, .long], help: "The guest's memory; the control group is limited to it.")
  var memory: ByteSize?

  @Option(help: "How many virtual processors; they are part of the platform measurement.")
  var cpus = 1

  @Option(
    help: ArgumentHelp(
      "The kind of TEE: \(LaunchKind.allCases.map(\.rawValue).joined(separator: ", ")); else the "
        + "strongest that `arca doctor` finds."))
  var tee: String?

  @OptionGroup(title: "Hardware") var hardware: HardwareOptions

  @Option(help: "Run by this manifest instead of a derived one.")
  var manifest: String?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "Share a folder of the host, untrusted; nothing in it is executed.",
      valueName: "/host:/path[:ro]"))
  var volume: [String] = []

  @OptionGroup(title: "Signatures") var signatures: SignatureOptions

  @Option(help: "Reach the manifest's key broker at HOST:PORT; its key is what counts.")
  var keyBrokerAddress: String?

  @Option(help: "Write the running guest's evidence to a file.")
  var evidence: String?

  @Flag(help: "Print how long each part of the start took.")
  var timing = false

  @Argument(help: "The image: a name, oci:FOLDER, docker-archive:FILE, docker://…")
  var image: String

  @Argument(parsing: .captureForPassthrough, help: "The command in place of the image's.")
  var command: [String] = []

  func run() throws {
    do {
      let status = try start()
      guard status == 0 else { throw ExitCode(Int32(status)) }
    } catch let error as RuntimeError {
      complain("\(error)")
      throw ExitCode(Int32(error.exitStatus))
    } catch let error as ExitCode {
      throw error
    } catch {
      complain("\(error)")
      throw ExitCode(125)
    }
  }

  private func start() throws -> UInt8 {
    var marks = Marks()
    let installation = Installation()
    var request = try self.request(try launchKind(tee, installation))
    if let warning = request.kind.warning { complain(warning) }
    if request.kind.format == .launchMeasurement, request.sessionFolder == nil,
      request.sevChain == nil
    {
      complain(
        "nobody judges this launch before it runs: see `arca sev --help` for --session, --sev-chain"
      )
    }
    let store = try ContainerStore(installation)
    let image = try prepareImage(image, signatures: signatures.rules)
    try setWorkload(of: &request, image)
    marks.image = Marks.now
    let container = try store.prepare(request, image: image)
    marks.prepared = Marks.now
    if detach {
      try store.detach(container, image: image)
      print(container.record.id)
      return try startFailure(store, container)
    }
    let status = try withExtendedLifetime(image) {
      try store.run(container, signals: try SignalSource())
    }
    if timing { marks.report(status) }
    if let error = status.error { complain(describe(error)) }
    return status.exitStatus
  }

  /// What a detached container that never ran has to say.
  private func startFailure(_ store: ContainerStore, _ container: Container) throws -> UInt8 {
    guard let result = container.result, let error = result.error,
      result.marks[.started] == nil
    else { return 0 }
    complain(describe(error))
    return result.exitStatus
  }

  private func request(_ kind: LaunchKind) throws -> RunRequest {
    var request = RunRequest(image: image, kind: kind)
    try hardware.apply(to: &request)
    request.name = name
    request.isRemoved = rm
    request.passesInput = interactive
    request.evidencePath = evidence.map { URL(fileURLWithPath: $0).path }
    guard (1...255).contains(cpus) else {
      throw ValidationError("--cpus \(cpus): expected 1 to 255")
    }
    request.vcpus = cpus
    if let memory {
      let mebibytes = Int(memory.bytes >> 20)
      guard (96...(1 << 20)).contains(mebibytes) else {
        throw ValidationError("--memory: found \(mebibytes) MiB, expected 96 MiB to 1 TiB")
      }
      request.memoryMiB = mebibytes
    }
    if let keyBrokerAddress {
      guard let endpoint = BrokerEndpoint(parsing: keyBrokerAddress) else {
        throw ValidationError("--key-broker-address \(keyBrokerAddress): expected HOST:PORT")
      }
      request.keyBrokerAddress = endpoint
    }
    if tty {
      let size = Terminal(0)?.size ?? (24, 80)
      request.input.terminal = HostInput.TerminalSize(rows: size.rows, columns: size.columns)
    }
    return request
  }

  /// Takes over the folders to share.
  private func share(_ request: inout RunRequest) throws {
    for text in volume {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      guard (2...3).contains(parts.count), parts[0].hasPrefix("/"), parts[1].hasPrefix("/"),
        parts.count == 2 || ["ro", "rw"].contains(parts[2])
      else {
        throw ValidationError(
          "--volume \(text): expected /HOST:/PATH[:ro]; encrypted volumes are named by the manifest"
        )
      }
      let kind = try? FileManager.default.attributesOfItem(atPath: parts[0] + "/.")[.type]
      guard kind as? FileAttributeType == .typeDirectory else {
        throw ValidationError("--volume \(text): \(parts[0]) is no folder")
      }
      let isReadOnly = parts.last == "ro"
      request.folders.append(
        SharedFolder(source: parts[0], isReadOnly: isReadOnly, isRecursive: true))
      request.input.folders.append(HostFolder(path: parts[1], isReadOnly: isReadOnly))
    }
    guard request.folders.count <= HostFolder.countMax else {
      throw ValidationError(
        "--volume: found \(request.folders.count), expected at most \(HostFolder.countMax)")
    }
  }

  /// Settles whose the workload's options are, now that the image is known.
  private func setWorkload(of request: inout RunRequest, _ image: PreparedImage) throws {
    let arguments = withoutTerminator(command)
    try share(&request)
    if let manifest {
      request.manifest = try readManifest(manifest)
    } else {
      request.manifest = image.workloadManifest
    }
    guard request.manifest != nil else {
      request.options = try workload.manifestOptions(command: arguments)
      request.options.shareFolders += request.input.folders.map(\.path).filter {
        !workload.shareFolder.contains($0)
      }
      return
    }
    try workload.refuseOwnersOptions()
    request.input.args = arguments.isEmpty ? nil : arguments
    request.input.env = try workload.environment()
    request.input.hostname = workload.hostname
  }
}

/// `arca monitor`: what a detached container's own process runs; not for users.
struct MonitorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "monitor", shouldDisplay: false)

  @Argument var id: String

  func run() throws {
    let status = try ContainerStore(Installation()).monitor(id)
    if let error = status.error { complain(describe(error)) }
  }
}

/// Prints a line about what Arca itself does to standard error.
func complain(_ text: String) {
  try? FileHandle.standardError.write(contentsOf: Data("arca: \(text)\n".utf8))
}

func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }
