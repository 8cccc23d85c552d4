import ArcaImage
import ArcaManifest
import ArcaTEE

/// An enclave that is about to be launched: its files, and the root of its workload.
struct PreparedEnclave {
  private let enclave: Enclave
  private let image: UnpackedImage
  /// What Gramine reads, by what follows the manifest's own name.
  private let files: [(suffix: String, content: [UInt8])]

  /// Whether Gramine serves the workload.
  var usesGramine: Bool { enclave.gramine != nil }

  /// The enclave that `request` asks for: signed by its owner, or by this machine's own key.
  init(
    _ request: RunRequest, _ manifest: WorkloadManifest, _ image: PreparedImage,
    _ installation: Installation
  ) throws(RuntimeError) {
    guard request.input.terminal == nil else {
      throw RuntimeError(.unsupported, "--tty: \(request.kind.rawValue) gives no terminal yet")
    }
    guard request.vcpus == 1 else {
      throw RuntimeError(
        .unsupported, "--cpus \(request.vcpus): an enclave's threads run on the host's processors")
    }
    self.image = try installation.unpack(image)
    guard request.kind == .sgx else {
      enclave = try installation.enclave(request.kind, manifest, image: image)
      files = enclave.gramine == nil ? [] : [(".manifest", enclave.manifest.bytes)]
      return
    }
    let signed: SignedEnclave
    if let folder = request.enclaveFolder {
      signed = try SignedEnclave(in: folder, of: manifest, image: image, installation)
    } else {
      signed = try SignedEnclave(
        manifest, image: image, EnclaveOptions(), keyPEM: try installation.ownEnclaveKey(),
        date: SignedEnclave.today, installation)
    }
    enclave = signed.enclave
    files = [(".manifest.sgx", signed.manifest), (".sig", signed.sigstruct.bytes)]
  }

  /// Writes the files into the container's `folder`, and makes the root.
  func place(
    in folder: String, _ installation: Installation
  ) throws(RuntimeError) -> EnclaveRoot {
    do {
      let name = folder + "/job/enclave"
      try System.replace(name, with: enclave.manifest.bytes)
      for file in files { try System.replace(name + file.suffix, with: file.content) }
    } catch {
      throw RuntimeError(error)
    }
    if let gramine = enclave.gramine { return EnclaveRoot(folder: image.folder, servedBy: gramine) }
    return try EnclaveRoot(
      image, enclave.manifest, program: installation.enclaveProgram, points: folder + "/points")
  }
}
