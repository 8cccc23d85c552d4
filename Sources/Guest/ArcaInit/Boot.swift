import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// The program: runs the workload, in an enclave or as the first process of a machine.
@c(main)
public func arcaInitMain() -> Int32 {
  umask(0)
  // Only a machine's first process can power it off.
  if let enclave = System.environment("ARCA_TEE") {
    Enclave.run(kind: enclave)
    return 125
  }
  boot()
  sync()
  reboot(RB_POWER_OFF)
  // A kernel that cannot power off restarts, which ends a machine that may not reboot.
  reboot(RB_AUTOBOOT)
  return 1
}

/// Runs the workload of a machine, and tells the host what became of it.
private func boot() {
  do throws(InitError) {
    for (path, type) in [("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs")] {
      try attempt(.environment, type, System.mount(type, path, type, 0))
    }
    let kind = try KernelCommandLine.value(of: "arca.tee=")
    let uevents = try attempt(.environment, "uevents", System.openUevents())
    let channel = try attempt(
      .environment, "the virtio port of the channel", Channel(uevents: uevents))
    channel.send(.ready)
    do throws(InitError) {
      channel.send(.exit(try runWorkload(channel, kind: kind, uevents: uevents)))
    } catch {
      channel.send(error.message)
    }
    channel.finish()
  } catch {
    // Without a channel, the kernel's log on the console is all there is.
    let line: Text = "<2>arca-init: \(error.detail)"
    try? File.write("/dev/kmsg", line.utf8, mode: 0)
  }
}

private func runWorkload(
  _ channel: Channel, kind: [UInt8], uevents: Int32
) throws(InitError) -> UInt8 {
  try Modules.load([kind], ofParts: false)
  let order = try Order(over: channel, kind: kind)
  var (manifest, input) = (order.manifest, order.input)
  var secrets = try Secrets(for: manifest, from: order.broker, over: channel)
  // Those that only some manifests need: they cost every other start nothing.
  let parts = [
    ("+encryption", manifest.rootFilesystem.encryptionKey != nil),
    ("+volumes", !manifest.volumes.isEmpty), ("+network", input.network != nil),
    ("+pod", manifest.pod?.key != nil),
  ]
  try Modules.load(parts.filter { $0.1 }.map { Array($0.0.utf8) }, ofParts: true)
  let root = try Root.open(
    manifest.rootFilesystem, key: manifest.rootFilesystem.encryptionKey.flatMap { secrets[$0] })
  var volumes = try Volumes(manifest.volumes, keys: secrets, order.broker, over: channel)
  try root.enter(manifest.rootFilesystem)
  try ContainerEnvironment.make(for: manifest)
  try ContainerEnvironment.mount(input.folders)
  try ContainerEnvironment.write(input.files)
  try volumes.mount()
  defer { volumes.close() }
  let link = try input.network.flatMap { (network) throws(InitError) in
    try Network.takeOver(network)
  }
  if let pod = manifest.pod {
    guard let link else {
      throw InitError(.hostInput, "pod: the host gives no link to its members")
    }
    try link.join(pod, secret: try secrets.forPod(pod))
  }
  try secrets.place(into: &manifest, isEnclave: false)
  // Before the workload's PID namespace, so that neither sees the other, and before its pipes.
  let localAddress = try LocalAddress.start(manifest, order.broker, order.provider)
  let childSignals = try attempt(.environment, "child signals", System.openChildSignals())
  let streams = try Streams(for: manifest.process, terminal: input.terminal, isConsole: true)
  let pid = try Workload.start(
    manifest.process, streams, .new(isRootReadOnly: manifest.rootFilesystem.writableBytes == 0))
  channel.send(.started)
  let first = Execution(pid, streams, session: 0, rules: manifest.hostMay, over: channel)
  var session = Session(
    channel: channel, executions: [first], manifest: manifest, childSignals: childSignals,
    uevents: uevents, root: root, localAddress: localAddress)
  return try session.run()
}

/// What is to run, once it has been checked against what the TEE says of itself.
struct Order {
  let provider: EvidenceProvider
  /// Merged with what the host may and does ask for.
  let manifest: WorkloadManifest
  let input: HostInput
  let broker: KeyBroker?

  init(over channel: Channel, kind: [UInt8]) throws(InitError) {
    guard case .manifest(let encoded) = try channel.waitForMessage() else { throw .order }
    provider = try EvidenceProvider(kind: kind)
    try checkIdentity(of: encoded, by: provider, over: channel)
    let measured = try attempt(.manifest, WorkloadManifest(decoding: encoded))
    guard case .hostInput(let bytes) = try channel.waitForMessage() else { throw .order }
    let input = try attempt(.hostInput, HostInput(decoding: bytes))
    manifest = try attempt(.hostInput, measured.merged(with: input))
    self.input = input
    guard case .start = try channel.waitForMessage() else { throw .order }
    broker = if let access = manifest.keyBroker { try KeyBroker(access, provider) } else { nil }
  }
}
