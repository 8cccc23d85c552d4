import Crypto
import TEEEvidence

/// A chip that no silicon stands behind: it signs SNP reports with a simulated vendor's VCEK.
public struct SimulatedSNPDevice: Sendable {
  /// CPUID family, model and stepping that reports of a product line carry.
  private static func cpuid(_ product: SNPProduct) -> (UInt8, UInt8, UInt8) {
    switch product {
    case .milan: return (0x19, 0x01, 1)
    case .genoa: return (0x19, 0x11, 1)
    case .turin: return (0x1A, 0x02, 1)
    }
  }

  /// The product line.
  public let product: SNPProduct
  private let key: P384.Signing.PrivateKey
  private let chipID: [UInt8]
  private let tcb: [UInt8]

  /// A device with the private key (48 bytes) and the certificate (DER) of a VCEK, from which it
  /// takes the chip's identity and TCB version.
  public init(vcekPrivateKey: [UInt8], vcek: [UInt8]) throws(AttestationError) {
    let certificate = try X509Certificate(der: vcek)
    let extensions = try AMDKeyExtensions(certificate)
    guard let product = extensions.product, let hardwareID = extensions.hardwareID else {
      throw AttestationError(.malformed, "simulated device: the VCEK names no product or chip")
    }
    do {
      key = try P384.Signing.PrivateKey(rawRepresentation: vcekPrivateKey)
    } catch {
      throw AttestationError(.invalidKey, "simulated device: the VCEK's private key")
    }
    guard certificate.publicKeyInfo.elementsEqual(key.publicKey.derRepresentation) else {
      throw AttestationError(.invalidKey, "simulated device: key and certificate are not a pair")
    }
    self.product = product
    chipID = hardwareID
    tcb = extensions.tcb(product).encoded(product: product)
  }

  /// The device's report, unsigned, with what the arguments say.
  ///
  /// `reportData` is 64 bytes, `hostData` 32, `measurement` 48; shorter values are zero-padded.
  public func unsignedReport(
    reportData: [UInt8], hostData: [UInt8], measurement: [UInt8],
    policy: SNPPolicy = SNPPolicy(rawValue: 0x30000), vmpl: UInt32 = 0, version: UInt32 = 3
  ) -> SNPReport {
    var report = SNPReport(version: version)
    report.policy = policy
    report.vmpl = vmpl
    report.reportData = reportData
    report.hostData = hostData
    report.measurement = measurement
    report.platformInfo = 1
    report.currentTCB = tcb
    report.reportedTCB = tcb
    report.committedTCB = tcb
    report.launchTCB = tcb
    report.cpuid = Self.cpuid(product)
    report.chipID = chipID
    report.currentFirmware = [0, 55, 1]
    report.committedFirmware = [0, 55, 1]
    return report
  }

  /// The signed report, 1184 bytes.
  public func report(
    reportData: [UInt8], hostData: [UInt8], measurement: [UInt8],
    policy: SNPPolicy = SNPPolicy(rawValue: 0x30000), vmpl: UInt32 = 0
  ) throws(AttestationError) -> [UInt8] {
    try sign(
      unsignedReport(
        reportData: reportData, hostData: hostData, measurement: measurement, policy: policy,
        vmpl: vmpl))
  }

  /// The bytes of `report`, signed (AMD 56860: ECDSA P-384 with SHA-384, numbers little-endian).
  public func sign(_ report: SNPReport) throws(AttestationError) -> [UInt8] {
    try sign(report.signedBytes())
  }

  /// A whole report whose first 672 bytes are `content`, whatever they are.
  package func sign(_ content: [UInt8]) throws(AttestationError) -> [UInt8] {
    let raw: [UInt8]
    do {
      raw = Array(try key.signature(for: SHA384.hash(data: content)).rawRepresentation)
    } catch {
      throw AttestationError(.invalidKey, "simulated device: the VCEK does not sign: \(error)")
    }
    let upper = [UInt8](repeating: 0, count: 24)
    let signed = content + raw[..<48].reversed() + upper + raw[48...].reversed() + upper
    return signed + [UInt8](repeating: 0, count: SNPReport.byteCount - signed.count)
  }
}
