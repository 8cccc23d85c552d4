import ArcaBytes
import ArcaManifest
import ArcaWire
import Foundation
import TEEEvidence
import Testing

/// One booted guest, started as guest/README.md says, or one enclave.
final class GuestMachine {
  /// How the simulated TEE answers.
  enum Evidence {
    case right
    case wrongReportData
    case truncated
    case otherManifest
    /// Right, but of another kind of TEE.
    case quote(mrConfigID: [UInt8])
    /// That of an enclave, right or over report data that nobody asked for.
    case enclaveQuote(isRight: Bool)
    case none
  }

  /// How a workload ended.
  struct Outcome {
    var output: [UInt8] = []
    var error: [UInt8] = []
    var last: GuestMessage?

    var text: String { String(decoding: output, as: UTF8.self) }
    var lines: [String] { text.split(separator: "\n").map(String.init) }
    var status: UInt8? {
      if case .exit(let status)? = last { return status }
      return nil
    }
  }

  static let package = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  /// The guest under test: `ARCA_LIB`'s, as for `arca`, else what `make guest` built.
  static let guest =
    ProcessInfo.processInfo.environment["ARCA_LIB"].map { URL(filePath: $0 + "/guest") }
    ?? package.appending(path: "out/lib/arca/guest")
  private static let timeoutMilliseconds: Int32 = 30_000

  private let folder: URL
  private let process = Process()
  private let monitor = Pipe()
  var socket: HostSocket
  private var decoder = FrameDecoder()

  /// Boots a guest; `hostile` is what a host may add to QEMU's command line, `faults` says how the
  /// disk fails, in options of QEMU's block driver `blkdebug`.
  init(
    disk: URL?, kind: String = "sim-snp", hostile: [String] = [], faults: String? = nil
  ) throws {
    let guest = Self.guest
    try #require(
      FileManager.default.fileExists(atPath: guest.appending(path: "release.json").path),
      "make guest comes before these tests")
    folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let path = folder.appending(path: "channel").path
    socket = try #require(HostSocket(path: path))
    let commandLine = try String(contentsOf: guest.appending(path: "cmdline"), encoding: .utf8)
    process.executableURL = URL(filePath: "/usr/bin/qemu-system-x86_64")
    process.arguments =
      [
        "-M", "q35", "-m", "512", "-smp", "1", "-cpu", "max", "-nodefaults", "-no-user-config",
        "-display", "none", "-no-reboot", "-kernel", guest.appending(path: "vmlinux").path,
        "-initrd", guest.appending(path: "initrd").path, "-append",
        commandLine + " arca.tee=" + kind, "-device", "virtio-serial-pci,max_ports=2", "-chardev",
        "socket,id=chan,path=\(path)", "-device",
        "virtserialport,chardev=chan,name=dev.arca.channel", "-chardev",
        "file,id=console,path=\(folder.path)/console", "-serial", "chardev:console",
      ]
      + (disk.map {
        [
          "-drive",
          "if=none,id=root,format=raw,readonly=on,"
            + (faults.map { options in "file.driver=blkdebug,\(options),file.image.filename=" }
              ?? "file=") + $0.path,
          "-device", "virtio-blk-pci,drive=root",
        ]
      } ?? []) + hostile
    process.standardInput = monitor
    try process.run()
    let isConnected = socket.accept(milliseconds: Self.timeoutMilliseconds)
    try #require(isConnected)
  }

  /// Hands the channel on as descriptor 3.
  static let inheritedLine = """
    import os, socket, sys
    line = socket.socket(socket.AF_UNIX)
    line.connect(sys.argv[1])
    os.dup2(line.detach(), 3)
    os.set_inheritable(3, True)
    os.execve(sys.argv[2], ["arca-init"], dict(os.environ))
    """

  /// Starts arca-init as an enclave's first program by a Python script, with `environment`; the
  /// root is this machine's.
  init(enclave environment: [String: String], by script: String = inheritedLine) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let path = folder.appending(path: "channel").path
    socket = try #require(HostSocket(path: path))
    process.executableURL = URL(filePath: "/usr/bin/python3")
    process.arguments = ["-c", script, path, Self.guest.appending(path: "arca-init").path]
    process.environment = environment
    try process.run()
    let isConnected = socket.accept(milliseconds: Self.timeoutMilliseconds)
    try #require(isConnected)
  }

  func send(_ message: HostMessage) {
    var writer = ByteWriter()
    message.frame.write(to: &writer)
    send(raw: writer.bytes)
  }

  /// Sends bytes as they are; a guest that has stopped reading is no fault.
  func send(raw bytes: [UInt8]) {
    _ = socket.send(bytes, milliseconds: 2000)
  }

  /// Types a line into QEMU's monitor, where the machine has `-monitor stdio`.
  func monitor(_ line: String) throws {
    try monitor.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
  }

  /// The guest's next message, or nil once it has closed its end.
  func next() throws -> GuestMessage? {
    while true {
      if let frame = try decoder.next() { return try GuestMessage(frame) }
      let bytes = try #require(
        socket.receive(milliseconds: Self.timeoutMilliseconds), "the guest says nothing")
      if bytes.isEmpty { return nil }
      decoder.append(bytes)
    }
  }

  /// Waits for `ready`.
  func ready() throws {
    guard case .ready? = try next() else {
      Issue.record("the guest did not say ready")
      return
    }
  }

  /// Opens the session and returns what the guest says when its workload should have started.
  func open(
    _ manifest: WorkloadManifest, _ input: HostInput = HostInput(), evidence: Evidence = .right
  ) throws -> GuestMessage? {
    try ready()
    send(.manifest(manifest.encoded()))
    // As a launcher does: the rest need not wait for the evidence.
    send(.hostInput(input.encoded()))
    send(.start)
    let message = try next()
    guard case .evidenceRequest(let reportData)? = message else { return message }
    if case .none = evidence { return message }
    send(.evidence(Self.report(reportData, manifest, evidence)))
    return try next()
  }

  private static func report(
    _ reportData: [UInt8], _ manifest: WorkloadManifest, _ evidence: Evidence
  ) -> [UInt8] {
    if case .quote(let identity) = evidence {
      var body = TDReport(is15: false)
      body.mrConfigID = identity
      body.reportData = reportData
      return quote(body.encoded, .tdx)
    }
    if case .enclaveQuote(let isRight) = evidence {
      var body = EnclaveReport()
      body.reportData = isRight ? reportData : body.reportData
      return quote(body.encoded, .sgx)
    }
    var reportData = reportData
    var hostData = manifest.digest
    if case .wrongReportData = evidence { reportData[63] ^= 1 }
    if case .otherManifest = evidence { hostData[0] ^= 1 }
    var writer = ByteWriter()
    writer.u32(2)
    writer.zeros(0x34 - 4)
    // SIGNATURE_ALGO: ECDSA P-384 with SHA-384.
    writer.u32(1)
    writer.zeros(0x50 - 0x38)
    writer.append(reportData)
    writer.zeros(0xc0 - 0x90)
    writer.append(hostData)
    writer.zeros(1184 - 0xe0)
    if case .truncated = evidence { return writer.bytes.dropLast() }
    return writer.bytes
  }

  /// A quote, version 3 (SGX) or 4, whose signature data is empty of sense but of the right form.
  static func quote(_ body: [UInt8], _ tee: QuoteHeader.TEE) -> [UInt8] {
    var writer = ByteWriter()
    writer.u16(tee == .sgx ? 3 : 4)
    writer.u16(2)
    writer.u32(tee.rawValue)
    writer.u32(0)
    writer.append(QuoteHeader.intelVendorID)
    writer.zeros(20)
    writer.append(body)
    let chain = [UInt8]("none".utf8)
    let inner = EnclaveReport.byteCount + 64 + 2 + 6 + chain.count
    writer.u32(UInt32(64 + 64 + (tee == .sgx ? 0 : 6) + inner))
    writer.zeros(128)
    if tee == .tdx {
      writer.u16(6)
      writer.u32(UInt32(inner))
    }
    writer.zeros(EnclaveReport.byteCount + 64 + 2)
    writer.u16(5)
    writer.u32(UInt32(chain.count))
    writer.append(chain)
    return writer.bytes
  }

  /// Starts `manifest`, feeds it `input`, and collects what comes until its end.
  func run(
    _ manifest: WorkloadManifest, _ hostInput: HostInput = HostInput(), input: [UInt8] = [],
    atStart act: (GuestMachine) throws -> Void = { _ in }
  ) throws -> Outcome {
    let first = try open(manifest, hostInput)
    guard case .started? = first else { return Outcome(last: first) }
    try act(self)
    var outcome = Outcome()
    var sent = 0
    var credit = Int(Wire.windowBytes)
    var isOpen = hostInput.terminal == nil
    while true {
      while sent < input.count, credit > 0 {
        let end = min(sent + min(credit, Wire.streamBytesMax), input.count)
        send(.input(Array(input[sent..<end])))
        credit -= end - sent
        sent = end
      }
      if isOpen, sent == input.count {
        send(.inputEnd)
        isOpen = false
      }
      switch try next() {
      case .output(let channel, let bytes)?:
        if channel == .standardOutput { outcome.output += bytes } else { outcome.error += bytes }
        send(.credit(channel, UInt32(bytes.count)))
      case .inputCredit(let bytes)?: credit += Int(bytes)
      case .outputEnd?, .log?: break
      case let message:
        outcome.last = message
        return outcome
      }
    }
  }

  /// The workload's output up to and with `end`.
  func outputUntil(_ end: String) throws -> String {
    var text = ""
    while !text.hasSuffix(end) {
      guard case .output(_, let bytes)? = try next() else { break }
      text += String(decoding: bytes, as: UTF8.self)
    }
    return text
  }

  /// Closes the channel; the machine must then end by itself.
  func close(_ location: SourceLocation = #_sourceLocation) {
    socket.close()
    let deadline = ContinuousClock.now + .seconds(20)
    while process.isRunning, ContinuousClock.now < deadline { usleep(5000) }
    #expect(!process.isRunning, "the machine does not end", sourceLocation: location)
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    try? FileManager.default.removeItem(at: folder)
  }
}

/// Boots a guest from `disk` for the length of `body`.
func withGuest<Result>(
  disk: URL?, kind: String = "sim-snp", _ body: (GuestMachine) throws -> Result,
  _ location: SourceLocation = #_sourceLocation
) throws -> Result {
  let machine = try GuestMachine(disk: disk, kind: kind)
  defer { machine.close(location) }
  return try body(machine)
}

/// Starts what stands in for an enclave, with `environment`, for the length of `body`.
func withEnclave<Result>(
  _ environment: [String: String], _ body: (GuestMachine) throws -> Result,
  _ location: SourceLocation = #_sourceLocation
) throws -> Result {
  let enclave = try GuestMachine(enclave: environment)
  defer { enclave.close(location) }
  return try body(enclave)
}
