import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaManifestText
import ArcaOCI
import ArcaTEE
import CArcaHost
import Foundation

extension Installation {
  /// The platform measurement of a launch here: what evidence of what would be booted must show.
  ///
  /// - Parameters:
  ///   - kind: The kind of TEE.
  ///   - vcpus: How many virtual processors.
  ///   - cpuModel: Their model, where the kind measures it: ``defaultCPUModel(_:)``.
  ///   - workload: The workload digest, which SEV-ES and SEV bind by the kernel command line.
  /// - Returns: the measurement.
  /// - Throws: where the guest is not whole or the firmware is missing.
  public func platformMeasurement(
    _ kind: LaunchKind, vcpus: Int, cpuModel: String?, workload: [UInt8]
  ) throws(RuntimeError) -> LaunchMeasurement {
    do {
      let facts = kind.isSimulated ? nil : HostFacts(processorAndFirmwareOf: self)
      let files = try BootedFiles(
        kind, guest: guest, firmware: try firmware(for: kind, facts), workload: workload)
      try files.check(try guestDigests(for: kind))
      return try files.measurement(vcpus: vcpus, cpuModel: cpuModel ?? "")
    } catch let error as TEEError {
      throw RuntimeError(error, .installation)
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.installation, "\(error)")
    }
  }
}

extension Installation {
  /// QEMU's CPU model that a launch here gets unless told otherwise; nil where `kind` does not
  /// measure it.
  public func defaultCPUModel(_ kind: LaunchKind) -> String? {
    guard kind == .snp || kind == .sevES else { return nil }
    return HostHardware.cpuModel(kind, HostFacts(processorAndFirmwareOf: self).processor)
  }

  func firmware(
    for kind: LaunchKind, _ facts: HostFacts?
  ) throws(RuntimeError) -> [String] {
    guard let facts else { return BootedFiles.simulatedFirmwarePaths }
    guard let path = kind == .tdx ? facts.tdxFirmware : facts.sevFirmware else {
      throw RuntimeError(
        .installation,
        "\(kind.rawValue): no firmware for it; install Debian's ovmf-amdsev and ovmf-inteltdx, or "
          + "run `arca tools fetch`")
    }
    return [path]
  }
}

extension ContainerStore {
  /// Makes the container that `request` asks for, ready to be run by this process.
  public func prepare(
    _ request: RunRequest, image: PreparedImage
  ) throws(RuntimeError) -> Container {
    guard geteuid() == 0 else {
      throw RuntimeError(.unsupported, "arca run: expected to be root; outer containers need it")
    }
    let manifest = try manifest(request, image)
    let merged: WorkloadManifest
    do {
      merged = try manifest.merged(with: request.input)
    } catch {
      throw RuntimeError(.manifest, "host input: \(ManifestText.describe(error))")
    }
    try checkInput(request, manifest)
    try checkLaunchSecrets(request, manifest)
    let root = try OuterRoot(installation).prepare()
    let hardware = request.kind.isSimulated ? nil : try HostHardware(request, installation)
    let accelerator =
      request.kind.isEnclave
      ? Accelerator.tcg
      : hardware == nil ? AcceleratorProbe(installation).accelerator() : .kvm
    let endpoint = manifest.brokerEndpoint
    let record = ContainerRecord(
      image: request.image, imageDigest: image.manifestDigest, name: request.name,
      args: merged.process.args, createdSeconds: UInt64(Date().timeIntervalSince1970),
      workloadDigest: manifest.digest, stopSignal: stopSignal(request, image, manifest),
      isRemoved: request.isRemoved, evidencePath: request.evidencePath ?? "", tee: request.kind,
      keyBroker: (request.keyBrokerAddress ?? endpoint)?.description ?? "")
    var launch = LaunchDescription(
      kind: request.kind, expected: try installation.guestDigests(for: request.kind),
      hostData: manifest.digest, vcpus: request.vcpus,
      memoryMiB: request.memoryMiB ?? RunRequest.memoryMiBDefault, accelerator: accelerator,
      passesInput: request.passesInput, hasTerminal: request.input.terminal != nil)
    launch.keyBroker = endpoint
    launch.hardware = hardware?.launch
    launch.vmm = hardware?.vmm ?? []
    let volumes = try takeVolumes(of: manifest)
    launch.volumes = volumes.count
    launch.folders = request.folders.count
    if launch.folders > 0 { try installation.requireFolderSharing() }
    let key = request.kind.isSimulated ? try installation.simulatedKey(request.kind) : nil
    let enclave =
      request.kind.isEnclave ? try PreparedEnclave(request, manifest, image, installation) : nil
    launch.usesGramine = enclave?.usesGramine == true
    var container = try create(record)
    container.volumes = volumes.map(\.lock)
    var outer = OuterContainer(
      id: record.id, folder: container.folder, root: root, guest: installation.guest,
      rootFilesystem: image.rootfsPath, volumes: volumes.map(\.disk), simulatedKey: key,
      hardware: hardware,
      accelerator: accelerator,
      limitedMemoryMiB: request.memoryMiB, folders: request.folders)
    do {
      outer.enclave = try enclave?.place(in: container.folder, installation)
      try write(launch, manifest, request, outer.spec, to: container.folder)
      try openSession(for: request, manifest, launch.hardware, in: container.folder)
    } catch {
      try? container.removeFolder()
      throw error as? RuntimeError
        ?? RuntimeError(.state, "\(container.folder): cannot be written: \(error)")
    }
    return container
  }

  /// Writes what the launcher reads, and what the OCI runtime makes the outer container of.
  private func write(
    _ launch: LaunchDescription, _ manifest: WorkloadManifest, _ request: RunRequest,
    _ spec: RuntimeSpec, to folder: String
  ) throws {
    let job = folder + "/job"
    try System.replace(job + "/launch", with: launch.encoded())
    try System.replace(job + "/manifest", with: manifest.encoded())
    try System.replace(job + "/host-input", with: request.input.encoded())
    for name in request.sessionFolder == nil ? [] : ["session", "dh-cert"] {
      let path = "\(request.sessionFolder ?? "")/\(name)"
      try System.replace("\(job)/\(name)", with: try System.contents(path, max: 1 << 16))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try System.replace(folder + "/config.json", with: Array(try encoder.encode(spec)))
  }

  private func takeVolumes(
    of manifest: WorkloadManifest
  ) throws(RuntimeError) -> [(disk: String, lock: FileLock)] {
    var taken: [(disk: String, lock: FileLock)] = []
    for volume in manifest.volumes {
      taken.append(try VolumeStore(installation).take(volume.name))
    }
    return taken
  }

  /// The image's own, where neither a manifest nor an option says another.
  private func stopSignal(
    _ request: RunRequest, _ image: PreparedImage, _ manifest: WorkloadManifest
  ) -> UInt8 {
    guard request.manifest == nil, request.options.stopSignal == nil,
      let signal = LinuxNames.signal(image.config.config.stopSignal)
    else { return manifest.process.stopSignal }
    return signal
  }

  private func manifest(
    _ request: RunRequest, _ image: PreparedImage
  ) throws(RuntimeError) -> WorkloadManifest {
    if let manifest = request.manifest {
      try image.check(manifest)
      return manifest
    }
    if let own = image.workloadManifest { return own }
    do {
      return try image.derivedManifest(request.options)
    } catch {
      throw RuntimeError(.manifest, error.detail)
    }
  }

  private func checkInput(
    _ request: RunRequest, _ manifest: WorkloadManifest
  ) throws(RuntimeError) {
    guard !request.passesInput || manifest.hostMay.sendInput else {
      throw RuntimeError(
        .manifest, "--interactive: the manifest does not allow it; it needs hostMay.sendInput")
    }
    guard manifest.pod == nil else {
      throw RuntimeError(
        .unsupported, "pod: `arca run` makes single containers; start pods by podman or Kubernetes")
    }
  }

  /// Runs a prepared container with this process's standard streams, to its end.
  package func run(
    _ container: Container, signals: SignalSource, onStarted: () -> Void = {}
  ) throws(RuntimeError) -> LaunchStatus {
    do {
      let status = try Supervisor(container, installation).run(
        signals: signals, onStarted: onStarted)
      if container.record.isRemoved { try container.removeFolder() }
      return status
    } catch {
      try? container.removeFolder()
      throw error
    }
  }

  /// Hands a prepared container to a process of its own, which runs it without a terminal.
  ///
  /// Returns once the workload runs, or has failed to.
  public func detach(_ container: Container, image: PreparedImage) throws(RuntimeError) {
    guard let lock = container.lock else { return }
    do {
      let flags = O_WRONLY | O_CREAT | O_APPEND
      let output = try System.open(container.logs.output, flags)
      let error = try System.open(container.logs.error, flags)
      let line = try System.socketPair()
      defer { for descriptor in [output, error, line.0] { close(descriptor) } }
      do {
        defer { close(line.1) }
        _ = try System.spawn(
          [Installation.program, "monitor", container.record.id],
          environment: ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" },
          descriptors: [-1, output, error, lock, line.1, image.hold.descriptor]
            + container.volumes.map(\.descriptor),
          flags: Int(ARCA_SPAWN_SESSION))
      }
      var waits = [pollfd(fd: line.0, events: Int16(POLLIN), revents: 0)]
      try System.poll(&waits, timeoutMilliseconds: -1)
    } catch {
      throw RuntimeError(.state, "container \(container.record.id): \(error)")
    }
  }

  /// What the process of ``detach(_:image:)`` does: descriptor 3 is the lock, 4 the line to the
  /// caller, 5 what keeps the image in the store, and from 6 on what keeps volumes from others.
  public func monitor(_ id: String) throws(RuntimeError) -> LaunchStatus {
    guard
      let container = Container(
        folder: installation.state + "/containers/" + id, lock: 3)
    else {
      throw RuntimeError(.notFound, "container \(id): not found")
    }
    let signals: SignalSource
    do {
      signals = try SignalSource()
    } catch {
      throw RuntimeError(error)
    }
    defer { close(4) }
    return try run(container, signals: signals) {
      _ = try? System.write(4, [1], from: 0, max: 1)
    }
  }
}

extension WorkloadManifest {
  /// Where the manifest's key broker is to be reached, or nil where it names none.
  var brokerEndpoint: BrokerEndpoint? {
    keyBroker.flatMap { BrokerAddress(url: $0.url) }.map {
      BrokerEndpoint(host: String(decoding: $0.host, as: UTF8.self), port: $0.port)
    }
  }
}
