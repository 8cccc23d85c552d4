import ArcaBytes
import Crypto
import TEEAttestation
import TEEEvidence

/// What stands for the security processor of an SNP machine: its key and certificate here.
public struct SimulatedPSPKey: Sendable {
  /// The VCEK's private scalar (P-384), 48 bytes.
  public var key: [UInt8]
  /// The VCEK's certificate in DER, which names the chip and its TCB version.
  public var vcek: [UInt8]

  /// A key of these parts.
  public init(key: [UInt8], vcek: [UInt8]) {
    self.key = key
    self.vcek = vcek
  }

  /// The CBOR of the key file.
  public func encoded() -> [UInt8] {
    RecordWriter().bytes("key", key).bytes("vcek", vcek).encoded()
  }

  /// Reads a key file that ``encoded()`` wrote.
  public init(decoding encoded: [UInt8]) throws(TEEError) {
    let record = try RecordReader(encoded, of: "simulated PSP's key file")
    key = try record.bytes("key", count: 48)
    vcek = try record.bytes("vcek")
  }
}

/// Answers the guest's requests for evidence as an SNP machine's security processor would.
struct SimulatedPSP {
  /// The launch digest, 48 bytes.
  let measurement: [UInt8]
  private let device: SimulatedSNPDevice
  private let hostData: [UInt8]

  /// Measures what is booted and refuses what is not the release's.
  init(_ launch: LaunchDescription) throws(TEEError) {
    let files = try BootedFiles(guest: OuterPath.guest, firmwareRoot: "")
    try files.check(launch.expected)
    measurement = try files.launchDigest(vcpus: launch.vcpus)
    let identity = try SimulatedPSPKey(
      decoding: try System.contents(OuterPath.simulatedPSP, max: 1 << 16))
    do {
      device = try SimulatedSNPDevice(vcekPrivateKey: identity.key, vcek: identity.vcek)
    } catch {
      throw TEEError(.evidence, "the simulated security processor: \(error)")
    }
    hostData = launch.hostData
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

  /// A signed attestation report over 64 bytes of report data.
  func report(over reportData: [UInt8]) throws(TEEError) -> [UInt8] {
    do {
      return try device.report(
        reportData: reportData, hostData: hostData, measurement: measurement)
    } catch {
      throw TEEError(.evidence, "the simulated security processor: \(error)")
    }
  }
}
