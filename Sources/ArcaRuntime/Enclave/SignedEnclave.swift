import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaTEE
import Foundation
import TEEMeasurement

/// An enclave for the processor to build: its Gramine manifest, and the SIGSTRUCT that its owner
/// signed.
public struct SignedEnclave: Sendable {
  /// The name of both files without their suffixes.
  private static let name = "arca"
  private static let manifestBytesMax = 1 << 28

  /// The bytes of `.manifest.sgx`.
  public let manifest: [UInt8]
  /// The SIGSTRUCT of `.sig`.
  public let sigstruct: Sigstruct
  /// What evidence must show.
  public let measurement: LaunchMeasurement
  let enclave: Enclave

  /// Signs the enclave that runs `manifest` from `image`; `date` is that of SIGSTRUCT.
  public init(
    _ manifest: WorkloadManifest, image: PreparedImage, _ options: EnclaveOptions,
    keyPEM: String, date: UInt32, _ installation: Installation
  ) throws(RuntimeError) {
    enclave = try installation.enclave(.sgx, manifest, image: image, options)
    measurement = try installation.measurement(of: enclave, .sgx, workload: manifest.digest)
    self.manifest = enclave.manifest.bytes
    do {
      sigstruct = try Sigstruct(
        signing: EnclaveIdentity(
          manifest: try GramineManifest(self.manifest), mrenclave: measurement.measurement,
          date: date),
        keyPEM: keyPEM)
    } catch {
      throw RuntimeError(.usage, error.detail)
    }
  }

  /// Reads what ``write(to:)`` wrote and refuses it where it is not the enclave of `workload` and
  /// `image` here, or its signature does not hold.
  init(
    in folder: String, of workload: WorkloadManifest, image: PreparedImage,
    _ installation: Installation
  ) throws(RuntimeError) {
    manifest = try Self.read(folder, ".manifest.sgx", max: Self.manifestBytesMax)
    do {
      sigstruct = try Sigstruct(bytes: try Self.read(folder, ".sig", max: Sigstruct.byteCount))
      try sigstruct.verify()
      let options = EnclaveOptions(try GramineManifest(manifest))
      enclave = try installation.enclave(.sgx, workload, image: image, options)
      guard enclave.manifest.bytes == manifest else {
        throw RuntimeError(
          .manifest,
          "\(folder)/\(Self.name).manifest.sgx: made for another image, workload manifest, release "
            + "of Arca or Gramine than those here; make and sign it again with `arca sgx sign`")
      }
      measurement = try installation.measurement(of: enclave, .sgx, workload: workload.digest)
    } catch let error as MeasurementError {
      throw RuntimeError(.manifest, "\(folder): \(error.detail)")
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.manifest, "\(folder): \(error)")
    }
    guard sigstruct.identity.mrenclave == measurement.measurement else {
      throw RuntimeError(
        .manifest,
        "\(folder)/\(Self.name).sig: signs MRENCLAVE \(Hex.encode(sigstruct.identity.mrenclave)), "
          + "but the enclave's is \(Hex.encode(measurement.measurement)); sign it again with "
          + "`arca sgx sign`")
    }
  }

  /// Writes both files into `folder`, by the names that Gramine expects.
  public func write(to folder: String) throws(RuntimeError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try System.replace("\(folder)/\(Self.name).manifest.sgx", with: manifest)
      try System.replace("\(folder)/\(Self.name).sig", with: sigstruct.bytes)
    } catch {
      throw RuntimeError(.state, "\(folder): cannot be written: \(error)")
    }
  }

  /// Today's date as SIGSTRUCT has it: eight decimal digits in hexadecimal.
  public static var today: UInt32 {
    let calendar = Calendar(identifier: .gregorian)
    let parts = calendar.dateComponents([.year, .month, .day], from: Date())
    let number = (parts.year ?? 2000) * 10000 + (parts.month ?? 1) * 100 + (parts.day ?? 1)
    return UInt32(String(number), radix: 16) ?? 0x2000_0101
  }

  private static func read(
    _ folder: String, _ suffix: String, max: Int
  ) throws(RuntimeError) -> [UInt8] {
    do {
      return try System.contents("\(folder)/\(name)\(suffix)", max: max)
    } catch {
      throw RuntimeError(error)
    }
  }
}

extension Installation {
  /// The key that signs enclaves which are run without an owner's signature; made at first use.
  func ownEnclaveKey() throws(RuntimeError) -> String {
    let path = data + "/sgx/key.pem"
    if let key = try? String(contentsOfFile: path, encoding: .utf8) { return key }
    do {
      let key = try EnclaveKey.generate()
      try makeFolder(data + "/sgx")
      try System.replace(path, with: Array(key.utf8), mode: 0o600)
      return key
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(path): the key of this machine's enclaves: \(error)")
    }
  }
}
