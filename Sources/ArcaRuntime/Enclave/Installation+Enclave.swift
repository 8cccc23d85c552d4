import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaTEE
import Crypto
import Foundation
import TEEMeasurement

/// All that an enclave's launch is made of.
struct Enclave {
  /// Its Gramine manifest.
  let manifest: EnclaveManifest
  /// The Gramine that serves it, or nil where `arca-init` takes its place.
  let gramine: Gramine?
}

extension Installation {
  /// The program that an enclave starts with.
  var enclaveProgram: String { guest + "/" + LaunchKind.simulatedSGX.kernelFile }

  /// The enclave of `kind` that runs `manifest` from the files of `image`.
  ///
  /// - Throws: where Gramine is missing, the guest is not whole, or the manifest is none for an
  ///   enclave.
  func enclave(
    _ kind: LaunchKind, _ manifest: WorkloadManifest, image: PreparedImage,
    _ options: EnclaveOptions = EnclaveOptions()
  ) throws(RuntimeError) -> Enclave {
    try named {
      let program = try guestDigests(for: kind).kernel
      guard let gramine = try gramine(for: kind) else {
        let files = try image.files() ?? []
        return Enclave(
          manifest: try EnclaveManifest(
            kind, manifest, files: files, program: program, options: options),
          gramine: nil)
      }
      let unpacked = try unpack(image)
      let library = Array(SHA256.hash(data: try gramine.contents(Gramine.library)))
      return Enclave(
        manifest: try EnclaveManifest(
          kind, manifest, files: unpacked.files, program: program,
          served: EnclaveManifest.Served(library: library, tree: try LinkTree(of: unpacked.folder)),
          options: options),
        gramine: gramine)
    }
  }

  /// The files of `image` as a folder.
  func unpack(_ image: PreparedImage) throws(RuntimeError) -> UnpackedImage {
    try named { try ImageStore(dataDirectory: data).unpack(image) }
  }

  /// The Gramine that serves enclaves of `kind`; nil where there is none and simulation does
  /// without.
  private func gramine(for kind: LaunchKind) throws(RuntimeError) -> Gramine? {
    if let found = Gramine.find(for: kind) { return found }
    guard kind.isSimulated else { throw Gramine.missing }
    return nil
  }

  /// The platform measurement of an enclave: MRENCLAVE, which covers the workload too.
  ///
  /// - Throws: where the guest is not whole, or the manifest is none for an enclave.
  public func enclaveMeasurement(
    _ kind: LaunchKind, _ manifest: WorkloadManifest, image: PreparedImage,
    _ options: EnclaveOptions = EnclaveOptions()
  ) throws(RuntimeError) -> LaunchMeasurement {
    try measurement(
      of: try enclave(kind, manifest, image: image, options), kind, workload: manifest.digest)
  }

  /// The Gramine manifest of the enclave of kind `sgx` that runs `manifest` from `image`.
  ///
  /// - Throws: where Gramine is missing, or the manifest is none for an enclave.
  public func gramineManifest(
    _ manifest: WorkloadManifest, image: PreparedImage, _ options: EnclaveOptions
  ) throws(RuntimeError) -> [UInt8] {
    try enclave(.sgx, manifest, image: image, options).manifest.bytes
  }

  func measurement(
    of enclave: Enclave, _ kind: LaunchKind, workload: [UInt8]
  ) throws(RuntimeError) -> LaunchMeasurement {
    try named {
      let platform = enclave.gramine.map { "\($0.folder)/\(GramineParts(kind).platform)" }
      let files = try BootedFiles(
        kind, guest: guest, firmware: [platform].compactMap(\.self), workload: workload,
        enclaveManifest: enclave.manifest.bytes)
      try files.check(try guestDigests(for: kind))
      return try files.measurement(vcpus: 1, cpuModel: "")
    }
  }

  private func named<Value>(_ body: () throws -> Value) throws(RuntimeError) -> Value {
    do {
      return try body()
    } catch let error as RuntimeError {
      throw error
    } catch let error as TEEError {
      throw RuntimeError(error, .installation)
    } catch let error as MeasurementError {
      throw RuntimeError(.manifest, error.detail)
    } catch {
      throw RuntimeError(.state, (error as? ImageError)?.detail ?? "\(error)")
    }
  }
}

extension Gramine {
  /// What to say where a kind cannot do without it.
  static var missing: RuntimeError {
    RuntimeError(
      .installation,
      "sgx: needs Gramine, but no gramine-sgx; to mend it, install Gramine 1.9 or later, or name "
        + "its folder by \(variable), such as /usr/lib/x86_64-linux-gnu/gramine")
  }

  /// The content of the file `name`.
  func contents(_ name: String) throws(RuntimeError) -> [UInt8] {
    guard let content = FileManager.default.contents(atPath: "\(folder)/\(name)") else {
      throw RuntimeError(.installation, "\(folder)/\(name): cannot be read")
    }
    return [UInt8](content)
  }
}
