import ArcaBytes
import ArcaManifest
import ArcaOCI
import ArcaTEE
import CArcaHost
import Foundation

extension OCIStore {
  /// The state of a container, as `state` prints it (runtime-spec, "State").
  public struct State: Codable, Sendable {
    /// The version of the specification.
    public var ociVersion = "1.0.2"
    /// The container's id.
    public var id: String
    /// `created`, `running`, `paused` or `stopped`.
    public var status: String
    /// The launcher's process, where there is one.
    public var pid: Int
    /// The bundle.
    public var bundle: String
    /// The engine's notes, and Arca's own: the kind of TEE and the workload digest.
    public var annotations: [String: String]
  }

  private struct Outer: Decodable {
    var status: String
    var pid: Int?
  }

  /// `state`.
  public func state(_ id: String) throws(RuntimeError) -> State {
    let container = try find(id)
    let text = try? runtime().perform(
      ["state", id], log: container.folder + "/outer.log", capturesOutput: true)
    let outer = text.flatMap { try? JSONDecoder().decode(Outer.self, from: Data($0.utf8)) }
    var annotations = container.record.annotations
    if !container.record.isSandbox {
      annotations["dev.arca.workload-digest"] = Hex.encode(container.record.workloadDigest)
      annotations["dev.arca.tee"] = container.record.tee
    }
    let status = outer?.status ?? "stopped"
    return State(
      id: id, status: status, pid: status == "stopped" ? 0 : outer?.pid ?? 0,
      bundle: container.record.bundle, annotations: annotations)
  }

  /// `list`: the states of all containers.
  public func states() -> [State] { list().compactMap { try? state($0.record.id) } }

  /// `start`: gives the guest what the engine has made, and lets the launcher go on.
  ///
  /// Engines write their files and make the network before `create` (podman 4, containerd) or after
  /// it (podman 5); either way their hooks have run by now.
  public func start(_ id: String) throws(RuntimeError) {
    let (container, state) = (try find(id), try state(id))
    if !container.record.isSandbox, state.status == "created" {
      try handIn(container, launcher: Int32(state.pid))
    }
    try pass(["start", id], to: id)
  }

  private func handIn(_ container: OCIContainer, launcher: Int32) throws(RuntimeError) {
    let job = container.folder + "/job"
    var (launch, input): (LaunchDescription, HostInput)
    let manifest: WorkloadManifest
    do {
      launch = try LaunchDescription(decoding: System.contents(job + "/launch", max: 1 << 16))
      input = try HostInput(decoding: System.contents(job + "/host-input", max: 1 << 20))
      manifest = try WorkloadManifest(decoding: System.contents(job + "/manifest", max: 1 << 20))
    } catch {
      throw RuntimeError(.state, "\(job): not as `create` left it: \(error)")
    }
    let spec = try BundleSpec(bundle: container.record.bundle)
    input.files = try BundleMounts.renewed(input.files, by: spec.mounts ?? [])
    if manifest.hasNetwork {
      let network = try EngineNetwork.join(
        launcher: launcher, callsBroker: launch.keyBroker != nil, joinsPod: manifest.pod != nil)
      if !network.taps.isEmpty {
        launch.taps = network.taps
        launch.hardwareAddresses = network.hardwareAddresses
        input.network = network.host
      }
    }
    try write(job + "/launch", launch.encoded())
    try write(job + "/host-input", input.encoded())
  }

  /// `pause`, `resume`, and what else the outer container takes as it is.
  public func pass(_ arguments: [String], to id: String) throws(RuntimeError) {
    let container = try find(id)
    try runtime().perform(arguments, log: container.folder + "/outer.log")
  }

  /// `kill ID [SIGNAL]`: the launcher hands the signal to the workload.
  public func kill(_ id: String, signal: String, all: Bool) throws(RuntimeError) {
    let container = try find(id)
    try runtime().perform(
      ["kill"] + (all ? ["--all"] : []) + [id, signal], log: container.folder + "/outer.log")
  }

  /// `delete [--force]`: a container that is not there is fine with `--force`.
  public func delete(_ id: String, force: Bool) throws(RuntimeError) {
    guard isAccessible(folder(id), F_OK) else {
      if force { return }
      throw RuntimeError(.notFound, "container \(id) does not exist", exitStatus: 1)
    }
    let runtime = try runtime()
    let known = runtime.knows(id)
    if known {
      let status = try? state(id).status
      guard force || status == "stopped" || status == nil else {
        throw RuntimeError(
          .running, "container \(id) is \(status ?? "running"); kill it first, or use --force",
          exitStatus: 1)
      }
      do {
        try runtime.perform(
          ["delete"] + (force ? ["--force"] : []) + [id], log: folder(id) + "/outer.log")
      } catch {
        guard force else { throw error }
        try runtime.remove(id)
      }
    }
    sweep()
    let network = try? find(id).record.network
    try remove(folder: id)
    // Last, since it is for good; the engine may have removed the namespace already.
    if let network, !network.isEmpty { try? EngineNetwork.tidy(network) }
  }

  /// Removes a container's folder, moved away first so that nobody sees half of one.
  func remove(folder id: String) throws(RuntimeError) {
    let doomed = "\(root)/.old-\(id)"
    try renameFile(folder(id), doomed)
    try? FileManager.default.removeItem(atPath: doomed)
  }

  /// Removes what is left of folders whose removal was broken off.
  func sweep() {
    for name in System.names(in: root) where name.hasPrefix(".old-") {
      try? FileManager.default.removeItem(atPath: "\(root)/\(name)")
    }
  }

  /// `run`: all of a container's life, with the caller's standard streams.
  ///
  /// - Returns: The workload's exit status, or 0 where it runs on by itself.
  public func run(_ line: OCICommandLine) throws(RuntimeError) -> UInt8 {
    let id = try line.id()
    try create(line)
    let process = arca_pidfd_open(Int32(try state(id).pid))
    do {
      try start(id)
    } catch {
      try? delete(id, force: true)
      throw error
    }
    if line.has("detach") {
      if process >= 0 { close(process) }
      return 0
    }
    if process >= 0 {
      defer { close(process) }
      var waits = [pollfd(fd: process, events: Int16(POLLIN), revents: 0)]
      while waits[0].revents == 0 {
        do {
          try System.poll(&waits, timeoutMilliseconds: -1)
        } catch {
          throw RuntimeError(error)
        }
      }
    }
    let status = try find(id).status
    if !line.has("keep") { try delete(id, force: true) }
    return status?.exitStatus ?? 125
  }
}
