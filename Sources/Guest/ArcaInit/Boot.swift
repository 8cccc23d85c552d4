import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

extension InitError {
  /// A message that the start does not wait for.
  static var order: InitError { InitError(.wire, "a message came out of order") }

  /// The host closed the channel: there is nobody left to tell.
  static var hostLeft: InitError { InitError(.wire, "the host closed the channel") }
}

/// Entered by main() in C, which powers off when this returns.
@c(arca_init_main)
public func arcaInitMain() {
  let enclave = System.environment("ARCA_TEE")
  if !enclave.isEmpty { return Enclave.run(kind: enclave) }
  do throws(InitError) {
    try mountKernelFilesystems()
    let kind = try KernelCommandLine().kind
    let (uevents, opened) = try openChannel(kind: kind)
    var channel = opened
    channel.send(.ready)
    do throws(InitError) {
      channel.send(.exit(try runWorkload(&channel, kind: kind, uevents: uevents)))
    } catch {
      channel.send(.failure(error.failure, detail: error.detail))
    }
    channel.finish()
  } catch {
    // Without a channel, the kernel's log on the console is all there is.
    try? File.write("/dev/kmsg", Array("<2>arca-init: ".utf8) + error.detail, mode: 0)
  }
}

private func openChannel(kind: [UInt8]) throws(InitError) -> (uevents: Int32, channel: Channel) {
  do {
    let uevents = try System.openUevents()
    return (uevents, try Channel(uevents: uevents))
  } catch {
    throw error.named(.environment, "the virtio port of the channel")
  }
}

private func mountKernelFilesystems() throws(InitError) {
  do {
    for (path, type) in [("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs")] {
      try System.mount(type, path, type, 0)
    }
  } catch {
    throw error.named(.environment, "proc, sysfs, devtmpfs")
  }
}

private func runWorkload(
  _ channel: inout Channel, kind: [UInt8], uevents: Int32
) throws(InitError) -> UInt8 {
  try Modules.load(for: kind)
  let order = try Order(over: &channel, kind: kind)
  var (manifest, input) = (order.manifest, order.input)
  var secrets = try Secrets(for: manifest, from: order.broker, over: &channel)
  try loadModules(for: manifest, input)
  let root = try Root.open(
    manifest.rootFilesystem, key: manifest.rootFilesystem.encryptionKey.flatMap { secrets[$0] })
  var volumes = try Volumes(manifest.volumes, keys: secrets, order.broker, over: &channel)
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
  let streams: Streams
  let childSignals: Int32
  do {
    childSignals = try System.check(arca_child_signals_open())
    if let size = input.terminal {
      streams = try Streams(terminalFor: manifest.process, size, isConsole: true)
    } else {
      streams = try Streams(pipesFor: manifest.process)
    }
  } catch {
    throw error.named(.environment, "standard streams")
  }
  let workload = try Workload.start(
    manifest.process, streams, .new(isRootReadOnly: manifest.rootFilesystem.writableBytes == 0))
  channel.send(.started)
  var session = Session(
    workload, manifest, childSignals: childSignals, uevents: uevents, root: root,
    localAddress: localAddress)
  return try session.run(&channel)
}

/// Those that only some manifests need: they cost every other start nothing.
private func loadModules(
  for manifest: WorkloadManifest, _ input: HostInput
) throws(InitError) {
  var parts: [String] = []
  if manifest.rootFilesystem.encryptionKey != nil { parts.append("encryption") }
  if !manifest.volumes.isEmpty { parts.append("volumes") }
  if input.network != nil { parts.append("network") }
  if manifest.pod?.key != nil { parts.append("pod") }
  try Modules.load(parts: parts)
}

/// What is to run, once it has been checked against what the TEE says of itself.
struct Order {
  let provider: EvidenceProvider
  /// Merged with what the host may and does ask for.
  let manifest: WorkloadManifest
  let input: HostInput
  let broker: KeyBroker?

  init(over channel: inout Channel, kind: [UInt8]) throws(InitError) {
    guard case .manifest(let encoded) = try channel.waitForMessage() else { throw .order }
    provider = try EvidenceProvider(kind: kind)
    try checkIdentity(of: encoded, by: provider, over: &channel)
    (manifest, input) = try receiveInput(encoded, &channel)
    guard case .start = try channel.waitForMessage() else { throw .order }
    var broker: KeyBroker?
    if let access = manifest.keyBroker { broker = try KeyBroker(access, provider) }
    self.broker = broker
  }
}

/// The manifest, merged with what the host may and does ask for.
private func receiveInput(
  _ encoded: [UInt8], _ channel: inout Channel
) throws(InitError) -> (WorkloadManifest, HostInput) {
  let manifest: WorkloadManifest
  do {
    manifest = try WorkloadManifest(decoding: encoded)
  } catch {
    throw InitError(.manifest, error.field)
  }
  guard case .hostInput(let bytes) = try channel.waitForMessage() else { throw .order }
  do {
    let input = try HostInput(decoding: bytes)
    return (try manifest.merged(with: input), input)
  } catch {
    throw InitError(.hostInput, error.field)
  }
}
