import ArcaImage
import ArcaManifest
import ArcaTEE

extension Installation {
  /// The program that an enclave starts with.
  var enclaveProgram: String { guest + "/" + LaunchKind.simulatedSGX.kernelFile }

  /// The files of `image` as a folder, and the Gramine manifest of an enclave that runs `manifest`
  /// from them.
  func enclave(
    _ kind: LaunchKind, _ manifest: WorkloadManifest, image: PreparedImage
  ) throws(RuntimeError) -> (image: UnpackedImage, manifest: EnclaveManifest) {
    try named {
      let unpacked = try ImageStore(dataDirectory: data).unpack(image)
      return (unpacked, try enclaveManifest(kind, manifest, unpacked.files))
    }
  }

  /// The platform measurement of an enclave: MRENCLAVE, which covers the workload too.
  ///
  /// - Throws: where the guest is not whole, or the manifest is none for an enclave.
  public func enclaveMeasurement(
    _ kind: LaunchKind, _ manifest: WorkloadManifest, image: PreparedImage
  ) throws(RuntimeError) -> LaunchMeasurement {
    try named {
      let enclave = try enclaveManifest(kind, manifest, try image.files() ?? [])
      let files = try BootedFiles(
        kind, guest: guest, firmware: [], workload: manifest.digest,
        enclaveManifest: enclave.bytes)
      try files.check(try guestDigests(for: kind))
      return try files.measurement(vcpus: 1, cpuModel: "")
    }
  }

  private func enclaveManifest(
    _ kind: LaunchKind, _ manifest: WorkloadManifest, _ files: [RootFile]
  ) throws(RuntimeError) -> EnclaveManifest {
    try EnclaveManifest(
      kind, manifest, files: files, program: try guestDigests(for: kind).kernel)
  }

  private func named<Value>(_ body: () throws -> Value) throws(RuntimeError) -> Value {
    do {
      return try body()
    } catch let error as RuntimeError {
      throw error
    } catch let error as TEEError {
      throw RuntimeError(error, .installation)
    } catch {
      throw RuntimeError(.state, (error as? ImageError)?.detail ?? "\(error)")
    }
  }
}
