import ArcaBytes
import Crypto
import TEEAttestation
import TEEEvidence

/// The TEE as its launcher sees it: what was measured and, in simulation, what signs its evidence.
struct LaunchedTEE {
  /// What a simulated TEE's evidence is made of.
  private enum Device {
    case snp(SimulatedSNPDevice, certificateTable: [UInt8])
    case quotingEnclave(SimulatedQuotingEnclave)
    /// The guest asks the hardware, not the launcher.
    case hardware
  }

  /// What evidence must show about the platform.
  let measurement: LaunchMeasurement
  private let device: Device
  private let hostData: [UInt8]

  /// Measures what is booted and refuses what is not the release's.
  init(_ launch: LaunchDescription) throws(TEEError) {
    let kind = launch.kind
    let enclaveManifest =
      kind.isEnclave
      ? try System.contents(OuterPath.enclaveManifest, max: TrustedFiles.bytesMax) : []
    let files = try BootedFiles(
      kind, guest: OuterPath.guest, firmware: launch.firmwarePaths,
      workload: launch.hostData, enclaveManifest: enclaveManifest)
    try files.check(launch.expected)
    // Gramine checks each file itself as it is opened.
    if !launch.usesGramine { try TrustedFiles(manifest: enclaveManifest).check() }
    measurement = try files.measurement(
      vcpus: launch.vcpus, cpuModel: launch.hardware?.cpuModel ?? "")
    hostData = launch.hostData
    guard kind.isSimulated else {
      device = .hardware
      return
    }
    let key = try SimulatedKey(
      decoding: try System.contents(OuterPath.simulatedKey, max: 1 << 16), for: kind)
    do {
      switch key {
      case .snp(let key, let vcek, let table):
        device = .snp(
          try SimulatedSNPDevice(vcekPrivateKey: key, vcek: vcek), certificateTable: table)
      case .quotingEnclave(let key, let certification):
        device = .quotingEnclave(
          try SimulatedQuotingEnclave(attestationPrivateKey: key, certification: certification))
      }
    } catch {
      throw TEEError(.evidence, "the simulated TEE's key: \(error)")
    }
  }

  /// The manifest that `arca` handed in, refused where its digest is not the one that is bound.
  func checkedManifest() throws(TEEError) -> [UInt8] {
    let manifest = try System.contents(OuterPath.job + "/manifest", max: 1 << 20)
    let found = Array(SHA256.hash(data: manifest))
    guard found == hostData else {
      throw TEEError(
        .manifestChanged,
        "workload manifest: SHA-256 is \(Hex.encode(found)), but the launch binds "
          + Hex.encode(hostData))
    }
    return manifest
  }

  /// Signed evidence over 64 bytes of report data: a report and its certificates, or a quote.
  func evidence(over reportData: [UInt8]) throws(TEEError) -> [UInt8] {
    do {
      switch device {
      case .snp(let device, let table):
        return try device.report(
          reportData: reportData, hostData: hostData, measurement: measurement.measurement) + table
      case .quotingEnclave(let enclave) where measurement.runtimeRegisters.isEmpty:
        var report = SimulatedQuotingEnclave.enclave
        report.mrEnclave = measurement.measurement
        report.reportData = reportData
        return try enclave.quote(.sgx(report), version: 3)
      case .quotingEnclave(let enclave):
        var report = SimulatedQuotingEnclave.trustDomain
        report.mrTD = measurement.measurement
        report.rtmrs = measurement.runtimeRegisters.map { $0 ?? [UInt8](repeating: 0, count: 48) }
        report.mrConfigID = hostData + [UInt8](repeating: 0, count: 48 - hostData.count)
        report.reportData = reportData
        return try enclave.quote(.tdx(report), version: 4)
      case .hardware:
        throw TEEError(
          .evidence, "the guest asked its host for evidence, which its own hardware gives")
      }
    } catch let error as TEEError {
      throw error
    } catch {
      throw TEEError(.evidence, "the simulated TEE: \(error)")
    }
  }
}

extension LaunchDescription {
  /// What is started before the kernel or the enclave's program.
  fileprivate var firmwarePaths: [String] {
    if usesGramine { return [OuterPath.gramine + "/" + GramineParts(kind).platform] }
    return kind.isSimulated ? kind.simulatedFirmwarePaths : [OuterPath.firmware]
  }
}
