import ArcaKeyBroker
import ArgumentParser
import Crypto
import Foundation
import SwiftASN1
import TEEAttestation
import X509

/// `arca-kbs init`: makes a broker's folder.
struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Make a broker's folder: configuration, keys, certificate, an empty policy.")

  @OptionGroup var option: FolderOption

  @Option(help: "Names and addresses that the self-signed certificate is for.")
  var host: [String] = ["localhost", "127.0.0.1"]

  @Option(help: "Where to listen, ADDRESS:PORT.")
  var listen = "127.0.0.1:8443"

  @Option(help: "A certificate chain, PEM, instead of a self-signed certificate.")
  var certificate: String?

  @Option(help: "The private key of --certificate, PEM.")
  var certificateKey: String?

  @Option(
    help: ArgumentHelp(
      "Accept evidence under this simulated vendor's root (DER); no hardware protects anything.",
      valueName: "ark.der"))
  var dangerouslyAcceptSimulatedRoot: [String] = []

  func run() throws {
    let folder = option.folder
    guard !FileManager.default.fileExists(atPath: folder.configuration) else {
      throw CommandError("\(folder.configuration): exists already and is not replaced")
    }
    for path in [folder.path, folder.masterKeys, folder.administrators, folder.collateral] {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
    try MasterKeys.make(in: folder.masterKeys)
    try write(P256.Signing.PrivateKey().pemRepresentation, to: folder.tokenKey)
    let administrator = P256.Signing.PrivateKey()
    try write(administrator.pemRepresentation, to: folder.administratorKey)
    try write(
      administrator.publicKey.pemRepresentation, to: "\(folder.administrators)/admin.pem")
    try makeCertificate(folder)
    var yaml = BrokerConfiguration.initial.replacingOccurrences(
      of: "127.0.0.1:8443", with: listen)
    if !dangerouslyAcceptSimulatedRoot.isEmpty {
      yaml = yaml.replacingOccurrences(of: "Evidence: false", with: "Evidence: true")
      // Simulated evidence brings all that vouches for it, and no vendor knows it.
      yaml = yaml.replacingOccurrences(
        of: "amdService: vendor\nintelService: vendor\n", with: "")
      yaml += "simulatedRoots:\n"
      for (index, root) in dangerouslyAcceptSimulatedRoot.enumerated() {
        guard let content = FileManager.default.contents(atPath: root) else {
          throw CommandError("\(root): cannot be read")
        }
        try PrivateFile.write(Array(content), to: folder.file("simulated-root-\(index + 1).der"))
        yaml += "  - simulated-root-\(index + 1).der\n"
      }
    }
    _ = try BrokerConfiguration(yaml: yaml)
    try write("version: 1\nrules: []\n", to: folder.policy)
    try write(yaml, to: folder.configuration)
    _ = try option.store()
    print("made \(folder.path)")
    if !dangerouslyAcceptSimulatedRoot.isEmpty {
      print("warning: SIMULATED evidence is accepted; secrets are not protected by hardware")
    }
  }

  private func write(_ text: String, to path: String) throws {
    try PrivateFile.write(Array(text.utf8), to: path)
  }

  private func makeCertificate(_ folder: BrokerFolder) throws {
    if let certificate, let certificateKey {
      for (from, to) in [
        (certificate, folder.certificate), (certificateKey, folder.certificateKey),
      ] {
        guard let content = FileManager.default.contents(atPath: from) else {
          throw CommandError("\(from): cannot be read")
        }
        try PrivateFile.write(Array(content), to: to)
      }
      return
    }
    guard certificate == nil, certificateKey == nil else {
      throw ValidationError("--certificate and --certificate-key go together")
    }
    let key = P256.Signing.PrivateKey()
    let name = try DistinguishedName { CommonName("arca-kbs") }
    let names: [GeneralName] = host.map { host in
      let octets = host.split(separator: ".").compactMap { UInt8($0) }
      return octets.count == 4
        ? .ipAddress(ASN1OctetString(contentBytes: octets[...])) : .dnsName(host)
    }
    let now = Date()
    let made = try Certificate(
      version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
      notValidBefore: now.addingTimeInterval(-300),
      notValidAfter: now.addingTimeInterval(825 * 86_400), issuer: name, subject: name,
      signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(digitalSignature: true, keyCertSign: true))
        try ExtendedKeyUsage([.serverAuth])
        SubjectAlternativeNames(names)
      }, issuerPrivateKey: .init(key))
    try write(try made.serializeAsPEM().pemString + "\n", to: folder.certificate)
    try write(key.pemRepresentation, to: folder.certificateKey)
  }
}
