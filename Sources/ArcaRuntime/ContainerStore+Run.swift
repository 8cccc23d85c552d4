import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaManifestText
import ArcaTEE
import CArcaHost
import Foundation

extension Installation {
  /// The platform measurement of a launch here: the launch digest of what would be booted.
  public func platformMeasurement(vcpus: Int) throws(RuntimeError) -> [UInt8] {
    do {
      let files = try BootedFiles(guest: guest, firmwareRoot: "")
      try files.check(try guestDigests())
      return try files.launchDigest(vcpus: vcpus)
    } catch let error as TEEError {
      throw RuntimeError(error, .installation)
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.installation, "\(error)")
    }
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
    let root = try OuterRoot(installation).prepare()
    let accelerator = AcceleratorProbe(installation).accelerator()
    let record = ContainerRecord(
      image: request.image, imageDigest: image.manifestDigest, name: request.name,
      args: merged.process.args, createdSeconds: UInt64(Date().timeIntervalSince1970),
      workloadDigest: manifest.digest, stopSignal: manifest.process.stopSignal,
      isRemoved: request.isRemoved, evidencePath: request.evidencePath ?? "", tee: request.kind)
    let launch = LaunchDescription(
      expected: try installation.guestDigests(), hostData: manifest.digest, vcpus: request.vcpus,
      memoryMiB: request.memoryMiB ?? RunRequest.memoryMiBDefault, accelerator: accelerator,
      passesInput: request.passesInput, hasTerminal: request.input.terminal != nil)
    let psp = try installation.simulatedPSP()
    let container = try create(record)
    let outer = OuterContainer(
      id: record.id, folder: container.folder, root: root, guest: installation.guest,
      rootFilesystem: image.rootfsPath, simulatedPSP: psp, accelerator: accelerator,
      limitedMemoryMiB: request.memoryMiB)
    do {
      let job = container.folder + "/job"
      try System.replace(job + "/launch", with: launch.encoded())
      try System.replace(job + "/manifest", with: manifest.encoded())
      try System.replace(job + "/host-input", with: request.input.encoded())
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      try System.replace(
        container.folder + "/config.json", with: Array(try encoder.encode(outer.spec)))
    } catch {
      container.removeFolder()
      throw RuntimeError(.state, "\(container.folder): cannot be written: \(error)")
    }
    return container
  }

  private func manifest(
    _ request: RunRequest, _ image: PreparedImage
  ) throws(RuntimeError) -> WorkloadManifest {
    if let manifest = request.manifest {
      try image.check(manifest)
      return manifest
    }
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
  }

  /// Runs a prepared container with this process's standard streams, to its end.
  package func run(
    _ container: Container, signals: SignalSource, onStarted: () -> Void = {}
  ) throws(RuntimeError) -> LaunchStatus {
    do {
      let status = try Supervisor(container, installation).run(
        signals: signals, onStarted: onStarted)
      if container.record.isRemoved { container.removeFolder() }
      return status
    } catch {
      container.removeFolder()
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
          descriptors: [-1, output, error, lock, line.1, image.hold.descriptor],
          flags: Int(ARCA_SPAWN_SESSION))
      }
      var waits = [pollfd(fd: line.0, events: Int16(POLLIN), revents: 0)]
      try System.poll(&waits, timeoutMilliseconds: -1)
    } catch {
      throw RuntimeError(.state, "container \(container.record.id): \(error)")
    }
  }

  /// What the process of ``detach(_:image:)`` does: descriptor 3 is the lock, 4 the line to the
  /// caller, 5 what keeps the image in the store.
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
