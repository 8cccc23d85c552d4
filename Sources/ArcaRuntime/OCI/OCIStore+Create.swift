import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaManifestText
import ArcaOCI
import ArcaTEE
import Foundation

extension OCIStore {
  /// `create`: makes the outer container of a bundle; the TEE starts with `start`.
  public func create(_ line: OCICommandLine) throws(RuntimeError) {
    let id = try line.id()
    let folder = folder(id)
    sweep()
    let lock = try begin(id)
    defer { close(lock) }
    let bundle = URL(fileURLWithPath: line.value("bundle") ?? ".").path
    do throws(RuntimeError) {
      let spec = try BundleSpec(bundle: bundle)
      try makeFolder(folder + "/job")
      try makeFolder(folder + "/run")
      if spec.isSandbox {
        try createSandbox(id, bundle, spec, line)
      } else {
        try createTEE(id, bundle, spec, line)
      }
    } catch {
      try? runtime().remove(id)
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
  }

  /// Makes the folder of a new container, and locks it until it has a record, as which it counts.
  ///
  /// One without a record and a lock is what a killed `create` left.
  private func begin(_ id: String) throws(RuntimeError) -> Int32 {
    let folder = folder(id)
    let file = folder + "/lock"
    if isAccessible(folder, F_OK) {
      guard !isAccessible(folder + "/record", F_OK), let lock = try tryLockFile(file) else {
        throw RuntimeError(.name, "container \(id) already exists", exitStatus: 1)
      }
      defer { close(lock) }
      try runtime().remove(id)
      try remove(folder: id)
    }
    try makeFolder(folder)
    guard let lock = try tryLockFile(file) else {
      throw RuntimeError(.name, "container \(id) already exists", exitStatus: 1)
    }
    return lock
  }

  /// A pod's sandbox holds namespaces and runs nothing of anyone's: it is an ordinary container.
  private func createSandbox(
    _ id: String, _ bundle: String, _ spec: BundleSpec, _ line: OCICommandLine
  ) throws(RuntimeError) {
    var record = OCIContainerRecord(
      id: id, bundle: bundle, annotations: spec.annotations ?? [:])
    record.isSandbox = true
    try write(folder(id) + "/record", record.encoded())
    let runtime = try runtime()
    var place = ["--bundle", bundle]
    if runtime.takesConfiguration {
      try write(folder(id) + "/config.json", try Self.sandboxConfiguration(bundle))
      place += ["--config", folder(id) + "/config.json"]
    }
    try runtime.perform(
      ["create"] + place + passed(line) + [id], log: folder(id) + "/outer.log")
  }

  /// A sandbox's configuration without the engine's limits: they are for workloads, and not
  /// everybody may set them.
  private static func sandboxConfiguration(_ bundle: String) throws(RuntimeError) -> [UInt8] {
    let path = bundle + "/config.json"
    do {
      let bytes = try System.contents(path, max: 16 << 20)
      var whole = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
      if case .object(var members) = whole, case .object(var process) = members["process"] {
        process["rlimits"] = nil
        members["process"] = .object(process)
        whole = .object(members)
      }
      return Array(try JSONEncoder().encode(whole))
    } catch {
      throw RuntimeError(.usage, "\(path): not a runtime configuration: \(error)")
    }
  }

  private func createTEE(
    _ id: String, _ bundle: String, _ spec: BundleSpec, _ line: OCICommandLine
  ) throws(RuntimeError) {
    let folder = folder(id)
    let kind = try spec.kind() ?? installation.strongestKind
    let root = try spec.rootFolder(bundle)
    let image: PreparedImage
    do {
      image = try ImageStore(dataDirectory: installation.data).prepare(folder: root)
    } catch {
      throw RuntimeError(.state, "root file system: \(error.detail)")
    }
    let workload = try BundleWorkload(spec, image: image)
    let limits = try BundleLimits(spec)
    let hardware =
      kind.isSimulated
      ? nil : try HostHardware(RunRequest(image: bundle, kind: kind), installation)
    let accelerator =
      hardware == nil ? AcceleratorProbe(installation).accelerator() : Accelerator.kvm
    var launch = LaunchDescription(
      kind: kind, expected: try installation.guestDigests(for: kind),
      hostData: workload.manifest.digest, vcpus: limits.vcpus,
      memoryMiB: limits.memoryMiB ?? RunRequest.memoryMiBDefault, accelerator: accelerator,
      passesInput: workload.manifest.hostMay.sendInput,
      hasTerminal: workload.input.terminal != nil)
    launch.isSupervised = false
    launch.keyBroker = workload.manifest.brokerEndpoint
    launch.hardware = hardware?.launch
    launch.vmm = hardware?.vmm ?? []
    launch.folders = workload.folders.count
    if launch.folders > 0 { try installation.requireFolderSharing() }
    // From here on, QEMU's own locks keep them from others.
    let volumes = try workload.manifest.volumes.map { volume throws(RuntimeError) in
      try VolumeStore(installation).take(volume.name)
    }
    defer { withExtendedLifetime(volumes) {} }
    launch.volumes = volumes.count
    let outer = OuterContainer(
      id: id, folder: folder, root: try OuterRoot(installation).prepare(),
      guest: installation.guest, rootFilesystem: image.rootfsPath,
      volumes: volumes.map(\.disk),
      simulatedKey: kind.isSimulated ? try installation.simulatedKey(kind) : nil,
      hardware: hardware, accelerator: accelerator,
      limitedMemoryMiB: limits.memoryMiB, folders: workload.folders, engine: spec)
    var record = OCIContainerRecord(
      id: id, bundle: bundle, annotations: spec.annotations ?? [:])
    record.workloadDigest = workload.manifest.digest
    record.tee = kind.rawValue
    record.network = spec.linux?.namespaces?.first { $0.type == "network" }?.path ?? ""
    try write(folder + "/record", record.encoded())
    try write(folder + "/job/launch", launch.encoded())
    try write(folder + "/job/manifest", workload.manifest.encoded())
    try write(folder + "/job/host-input", workload.input.encoded())
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let configuration = try? encoder.encode(outer.spec) else {
      throw RuntimeError(.state, "\(folder)/config.json: cannot be written")
    }
    try write(folder + "/config.json", Array(configuration))
    let runtime = try runtime()
    let place =
      runtime.takesConfiguration
      ? ["--bundle", bundle, "--config", folder + "/config.json"] : ["--bundle", folder]
    // The image is held until the outer container has mounted it, which then keeps the file.
    try withExtendedLifetime(image) { () throws(RuntimeError) in
      _ = try runtime.perform(["create"] + place + passed(line) + [id], log: folder + "/outer.log")
    }
  }

  private func passed(_ line: OCICommandLine) -> [String] {
    var arguments: [String] = []
    for name in ["pid-file", "console-socket"] {
      if let value = line.value(name) { arguments += ["--\(name)", value] }
    }
    return arguments
  }

  func write(_ path: String, _ bytes: [UInt8]) throws(RuntimeError) {
    do {
      try System.replace(path, with: bytes)
    } catch {
      throw RuntimeError(error)
    }
  }
}

extension BundleSpec {
  init(bundle: String) throws(RuntimeError) {
    let path = bundle + "/config.json"
    do {
      let bytes = try System.contents(path, max: 16 << 20)
      self = try JSONDecoder().decode(BundleSpec.self, from: Data(bytes))
    } catch let error as TEEError {
      throw RuntimeError(.usage, "bundle \(bundle): \(describe(error))")
    } catch {
      throw RuntimeError(.usage, "\(path): not a runtime configuration: \(error)")
    }
    guard ociVersion.hasPrefix("1.") else {
      throw RuntimeError(.unsupported, "\(path): ociVersion is \(ociVersion), expected 1.x")
    }
  }

  /// Whether the container is a pod's sandbox (containerd's and CRI-O's words).
  var isSandbox: Bool {
    ["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"].contains {
      annotations?[$0] == "sandbox"
    } || isPodmanInfrastructure
  }

  /// Podman does not mark what holds a pod's namespaces; it is told by what it runs.
  private var isPodmanInfrastructure: Bool {
    annotations?["io.container.manager"] == "libpod" && process?.args == ["/catatonit", "-P"]
  }

  /// The kind of TEE that an annotation asks for, or nil where none does.
  func kind() throws(RuntimeError) -> LaunchKind? {
    guard let name = annotations?["dev.arca.tee"] else { return nil }
    // `arca run` alone runs enclaves yet.
    let known = LaunchKind.allCases.filter { !$0.isEnclave }
    guard let kind = known.first(where: { $0.rawValue == name }) else {
      throw RuntimeError(
        .unsupported,
        "annotation dev.arca.tee: found \(name), expected one of "
          + known.map(\.rawValue).joined(separator: ", "))
    }
    return kind
  }

  func rootFolder(_ bundle: String) throws(RuntimeError) -> String {
    guard let path = root?.path else {
      throw RuntimeError(.usage, "bundle \(bundle): its configuration names no root")
    }
    let full = path.hasPrefix("/") ? path : bundle + "/" + path
    return URL(fileURLWithPath: full).resolvingSymlinksInPath().path
  }
}
