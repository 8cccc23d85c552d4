import ArcaImage
import ArcaManifest
import ArcaTEE

extension Installation {
  /// The program that an enclave starts with.
  var enclaveProgram: String { guest + "/" + LaunchKind.simulatedSGX.kernelFile }

  /// The Gramine manifest of an enclave that runs `manifest` from `files`.
  func enclaveManifest(
    _ kind: LaunchKind, _ manifest: WorkloadManifest, _ files: [RootFile]
  ) throws(RuntimeError) -> EnclaveManifest {
    try EnclaveManifest(
      kind, manifest, files: files, program: try guestDigests(for: kind).kernel)
  }

  /// The platform measurement of an enclave: MRENCLAVE, which covers the workload too.
  ///
  /// - Throws: where the guest is not whole, or the manifest is none for an enclave.
  public func enclaveMeasurement(
    _ kind: LaunchKind, _ manifest: WorkloadManifest, image: PreparedImage
  ) throws(RuntimeError) -> LaunchMeasurement {
    do {
      let enclave = try enclaveManifest(kind, manifest, try image.files() ?? [])
      let files = try BootedFiles(
        kind, guest: guest, firmware: [], workload: manifest.digest,
        enclaveManifest: enclave.bytes)
      try files.check(try guestDigests(for: kind))
      return try files.measurement(vcpus: 1, cpuModel: "")
    } catch let error as TEEError {
      throw RuntimeError(error, .installation)
    } catch let error as ImageError {
      throw RuntimeError(.state, error.detail)
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.installation, "\(error)")
    }
  }
}
