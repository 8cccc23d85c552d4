import Crypto
import CryptoExtras
import TEEEvidence

/// The certificates of one simulated product line, unsigned.
package struct SimulatedIssuance {
  /// The product line.
  package let product: SNPProduct
  /// First moment of validity.
  package let time: VerificationTime

  /// Serial number of the intermediate authority, which a revocation list would name.
  package static let askSerialNumber: [UInt8] = [0x0A, 0x5C]

  /// The TCB version that the simulated chip is certified for.
  package var tcb: SNPTCBVersion {
    SNPTCBVersion(
      fmc: product == .turin ? 1 : 0, bootloader: 10, tee: 0, snp: 24, microcode: 219,
      product: product)
  }

  /// Issues for `product` from `time` on.
  package init(product: SNPProduct, time: VerificationTime) {
    self.product = product
    self.time = time
  }

  /// The root.
  package func ark(_ key: _RSA.Signing.PrivateKey) -> SimulatedCertificate {
    SimulatedCertificate(
      serialNumber: [0x0A, 0x2C], issuer: name("ARK-\(product.name)"),
      subject: name("ARK-\(product.name)"), notBefore: time, notAfter: after(years: 25),
      publicKeyInfo: Array(key.publicKey.derRepresentation),
      extensions: SimulatedCertificate.authority(signsLists: true)
        + [SimulatedCertificate.simulationMark])
  }

  /// The intermediate authority; with `vlek`, the one that issues VLEKs.
  package func ask(_ key: _RSA.Signing.PrivateKey, vlek: Bool = false) -> SimulatedCertificate {
    SimulatedCertificate(
      serialNumber: Self.askSerialNumber, issuer: name("ARK-\(product.name)"),
      subject: name(authority(vlek)), notBefore: time, notAfter: after(years: 25),
      publicKeyInfo: Array(key.publicKey.derRepresentation),
      extensions: SimulatedCertificate.authority(pathLength: 0, signsLists: false))
  }

  /// The chip's certificate.
  package func vcek(
    _ key: P384.Signing.PublicKey, hardwareID: [UInt8], tcb: SNPTCBVersion? = nil
  ) -> SimulatedCertificate {
    leaf(
      key, vlek: false, productName: product == .turin ? product.name : "\(product.name)-B0",
      tcb ?? self.tcb, X509Extension(oid: amd([4]), isCritical: false, value: hardwareID))
  }

  /// A cloud provider's certificate.
  package func vlek(_ key: P384.Signing.PublicKey) -> SimulatedCertificate {
    leaf(
      key, vlek: true, productName: product.name, tcb,
      X509Extension(
        oid: amd([5]), isCritical: false, value: DERWriter.ia5String("simulated.example")))
  }

  /// A revocation list that names nothing.
  package func list() -> SimulatedRevocationList {
    SimulatedRevocationList(
      issuer: name("ARK-\(product.name)"), thisUpdate: time, nextUpdate: after(years: 7),
      serialNumbers: [])
  }

  private func leaf(
    _ key: P384.Signing.PublicKey, vlek: Bool, productName: String, _ tcb: SNPTCBVersion,
    _ identity: X509Extension
  ) -> SimulatedCertificate {
    var extensions = [
      X509Extension(oid: amd([1]), isCritical: false, value: DERWriter.integer([1])),
      X509Extension(oid: amd([2]), isCritical: false, value: DERWriter.ia5String(productName)),
    ]
    var versions: [(UInt8, UInt8)] = [
      (1, tcb.bootloader), (2, tcb.tee), (3, tcb.snp), (8, tcb.microcode),
    ]
    if product == .turin { versions.append((9, tcb.fmc)) }
    for (arc, version) in versions {
      extensions.append(
        X509Extension(oid: amd([3, arc]), isCritical: false, value: DERWriter.integer([version])))
    }
    return SimulatedCertificate(
      serialNumber: [0], issuer: name(authority(vlek)),
      subject: name(vlek ? "SEV-VLEK" : "SEV-VCEK"),
      notBefore: time, notAfter: after(years: vlek ? 1 : 7),
      publicKeyInfo: Array(key.derRepresentation), extensions: extensions + [identity])
  }

  private func authority(_ vlek: Bool) -> String {
    vlek ? "SEV-VLEK-\(product.name)" : "SEV-\(product.name)"
  }

  private func amd(_ tail: [UInt8]) -> [UInt8] { AMDKeyExtensions.arc + tail }

  private func name(_ commonName: String) -> [UInt8] {
    DERWriter.name(organization: SimulatedAMD.organization, commonName: commonName)
  }

  private func after(years: Int64) -> VerificationTime {
    VerificationTime(unixSeconds: time.unixSeconds + years * 31_556_952)
  }
}
