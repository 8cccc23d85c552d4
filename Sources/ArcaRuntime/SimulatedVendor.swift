import ArcaTEE
import Foundation
import TEEAttestation
import TEEEvidence

extension Installation {
  /// The simulated AMD of this machine, made once.
  public func simulatedAMD() throws(RuntimeError) -> SimulatedAMD {
    let folder = simulatedAMDFolder
    try makeVendor(folder) { () throws(AttestationError) in
      let vendor = try SimulatedAMD.create(at: Self.today)
      return vendor.files + [("psp", Self.key(of: vendor).encoded())]
    }
    return try load(folder) { file throws(AttestationError) in try SimulatedAMD(files: file) }
  }

  private static func key(of vendor: SimulatedAMD) -> SimulatedKey {
    .snp(
      key: vendor.vcekPrivateKey, vcek: vendor.vcek, certificateTable: vendor.certificateTable)
  }

  /// The simulated Intel of this machine, made once.
  public func simulatedIntel() throws(RuntimeError) -> SimulatedIntel {
    let folder = simulatedIntelFolder
    try makeVendor(folder) { () throws(AttestationError) in
      let vendor = try SimulatedIntel.create(at: Self.today)
      return vendor.files
    }
    return try load(folder) { file throws(AttestationError) in try SimulatedIntel(files: file) }
  }

  /// The key file of a simulated TEE; its vendor is made where there is none.
  func simulatedKey(_ kind: LaunchKind) throws(RuntimeError) -> String {
    let tee = kind.quotedTEE
    let path =
      tee.map { simulatedIntelFolder + "/quoting-enclave-\($0)" } ?? simulatedAMDFolder + "/psp"
    if let kept = try? System.contents(path, max: 1 << 16),
      (try? SimulatedKey(decoding: kept, for: kind)) != nil
    {
      return path
    }
    // None yet, or one that an earlier version wrote.
    do {
      let key: SimulatedKey
      if let tee {
        let enclave = try simulatedIntel().quotingEnclave(for: tee)
        key = .quotingEnclave(
          key: enclave.attestationPrivateKey, certification: enclave.certification)
      } else {
        key = Self.key(of: try simulatedAMD())
      }
      try System.replace(path, with: key.encoded(), mode: 0o600)
      return path
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(path): the simulated TEE's key: \(error)")
    }
  }

  /// Writes what the simulated Intel would serve for `kind` into a folder of its own, `tdx` or
  /// `sgx`, anew each day, since it is valid for thirty.
  func refreshSimulatedCollateral(for kind: LaunchKind) throws(RuntimeError) {
    guard kind.isSimulated, let tee = kind.quotedTEE else { return }
    let vendor = try simulatedIntel()
    let folder = "\(simulatedIntelFolder)/collateral/\(tee)"
    let stamp = folder + "/issued"
    if (try? String(contentsOfFile: stamp, encoding: .utf8)) == Self.today.text { return }
    do {
      let bundle = CollateralBundle(try vendor.endorsements(for: tee, at: Self.today))
      try makeFolder(folder)
      for (file, content) in bundle.files {
        try System.replace("\(folder)/\(file.rawValue)", with: content)
      }
      try System.replace(stamp, with: Array(Self.today.text.utf8))
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(folder): the simulated collateral: \(error)")
    }
  }

  /// The last midnight, so that a clock that is a little behind elsewhere does no harm.
  private static var today: VerificationTime {
    VerificationTime(unixSeconds: Int64(Date().timeIntervalSince1970) / 86_400 * 86_400)
  }

  /// Fills `folder` with `files`, at once and once.
  private func makeVendor(
    _ folder: String,
    files: () throws(AttestationError) -> [(name: String, content: [UInt8])]
  ) throws(RuntimeError) {
    try makeFolder(data)
    if FileManager.default.fileExists(atPath: folder) { return }
    let lock = try lockFile(folder + ".lock")
    defer { close(lock) }
    if FileManager.default.fileExists(atPath: folder) { return }
    let temporary = folder + ".new"
    try? FileManager.default.removeItem(atPath: temporary)
    try makeFolder(temporary)
    do {
      for (name, content) in try files() {
        try System.replace("\(temporary)/\(name)", with: content, mode: 0o600)
      }
      try synchronizeFileSystem(of: temporary)
      try renameFile(temporary, folder)
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(folder): the simulated vendor: \(error)")
    }
  }

  private func load<Vendor>(
    _ folder: String,
    _ vendor: ((String) -> [UInt8]?) throws(AttestationError) -> Vendor
  ) throws(RuntimeError) -> Vendor {
    do {
      return try vendor { name in try? System.contents("\(folder)/\(name)", max: 1 << 16) }
    } catch {
      throw RuntimeError(
        .state, "\(folder): \(error); remove the folder to have a new vendor made")
    }
  }
}

extension LaunchKind {
  /// The TEE that Intel's quotes of this kind are about; nil for other vendors'.
  fileprivate var quotedTEE: QuoteHeader.TEE? {
    switch format {
    case .tdxQuote: .tdx
    case .sgxQuote: .sgx
    case .snpReport, .launchMeasurement: nil
    }
  }
}
