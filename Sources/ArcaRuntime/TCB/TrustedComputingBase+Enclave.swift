import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaTEE
import ArcaWire
import Foundation

extension TrustedComputingBase {
  /// What the channel carries only to a machine: an enclave's workload has the host's own streams,
  /// and nothing listens once it runs.
  private static let machineMessages: Set = [
    "execute", "input", "inputEnd", "signal", "windowSize",
  ]

  /// Collects what is inside an enclave of `kind` that runs `manifest` from a prepared image.
  ///
  /// That is Gramine where it is used, `arca-init`, the manifest that names all, and each file that
  /// it trusts; neither a kernel nor an initrd, and no device.
  public init(
    enclave kind: LaunchKind, _ manifest: WorkloadManifest, image prepared: PreparedImage,
    _ installation: Installation
  ) throws(RuntimeError) {
    let release = try installation.release()
    let enclave = try installation.enclave(kind, manifest, image: prepared)
    tee = kind.rawValue
    simulated = kind.isSimulated
    arcaVersion = Installation.version
    workloadDigest = Hex.encode(manifest.digest)
    var inside: [File] = []
    if let gramine = enclave.gramine {
      for name in gramine.files(inside: kind) {
        inside.append(File("gramine/\(name)", try gramine.contents(name)))
      }
    }
    inside.append(File("arca-init", try Self.contents(installation.enclaveProgram)))
    inside.append(File("Gramine manifest", enclave.manifest.bytes))
    booted = inside
    kernelCommandLine = ""
    kernelOptions = nil
    initrd = []
    linesOfCode = release.linesOfCode
    packages = release.sourcePackages
    hostMessages = HostMessage.names.filter { !Self.machineMessages.contains($0) }
    devices = []
    do {
      let sizes = Dictionary(
        try (prepared.files() ?? []).map { (Hex.encode($0.sha256), $0.byteCount) },
        uniquingKeysWith: { first, _ in first })
      let trusted = try TrustedFiles(manifest: enclave.manifest.bytes).files
      image = Image(
        rootHash: Hex.encode(prepared.rootHash), bytes: prepared.sizeBytes,
        files: trusted.dropFirst().map { file in
          let digest = Hex.encode(file.sha256)
          return File(
            name: String(file.path.dropFirst(OuterPath.enclaveRoot.count)),
            bytes: sizes[digest] ?? 0, sha256: digest)
        })
    } catch let error as TEEError {
      throw RuntimeError(error)
    } catch {
      throw RuntimeError(.state, (error as? ImageError)?.detail ?? "\(error)")
    }
  }
}
