import ArcaKeyBroker
import ArcaKeyBrokerPKCS11
import ArgumentParser
import Crypto
import Foundation
import SwiftASN1
import TEEAttestation
import TEEEvidence
import X509

/// `arca-kbs init`: makes a broker's folder.
struct InitCommand: AsyncParsableCommand {
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

  @Option(
    help: ArgumentHelp(
      "Accept evidence of the simulated vendor in this folder, as arca makes it; no hardware "
        + "protects anything. Repeatable.", valueName: "folder"))
  var simulatedVendor: [String] = []

  @Option(help: "The store: sqlite, embedded; or etcd, shared by several brokers.")
  var store = Store.sqlite

  @OptionGroup(title: "etcd") var etcd: EtcdOptions

  @OptionGroup(title: "Master key in a PKCS#11 token") var pkcs11: TokenOptions

  enum Store: String, ExpressibleByArgument, CaseIterable {
    case sqlite, etcd
  }

  func validate() throws {
    try etcd.validate(isUsed: store == .etcd)
    _ = try pkcs11.isUsed()
  }

  func run() async throws {
    let folder = option.folder
    try begin(folder)
    try write(P256.Signing.PrivateKey().pemRepresentation, to: folder.tokenKey)
    let administrator = P256.Signing.PrivateKey()
    try write(administrator.pemRepresentation, to: folder.administratorKey)
    try write(
      administrator.publicKey.pemRepresentation, to: "\(folder.administrators)/admin.pem")
    try makeCertificate(folder)
    var yaml = BrokerConfiguration.initial.replacingOccurrences(
      of: "127.0.0.1:8443", with: listen)
    let roots =
      dangerouslyAcceptSimulatedRoot
      + simulatedVendor.map { isAMD($0) ? "\($0)/ark.der" : "\($0)/root.der" }
    if !roots.isEmpty { yaml = try acceptingSimulation(roots, yaml) }
    for vendor in simulatedVendor {
      if isAMD(vendor) {
        try copyCollateral(ofAMD: vendor)
      } else {
        try copyCollateral(ofIntel: vendor)
      }
    }
    if store == .etcd { yaml += etcd.yaml }
    if try pkcs11.isUsed() { yaml += pkcs11.yaml }
    let configuration = try BrokerConfiguration(yaml: yaml, in: folder)
    if let token = configuration.token {
      _ = try TokenKeyring(token, makesFirst: true)
    } else if !isResumed || (try? MasterKeyFiles(folder: folder.masterKeys)) == nil {
      try MasterKeyFiles.make(in: folder.masterKeys)
    }
    try write(yaml, to: folder.configuration)
    try await makeStore()
    try FileManager.default.removeItem(atPath: folder.unfinished)
    try FolderLock.synchronize(folder: folder.path)
    print("made \(folder.path)")
    print("pin \(try folder.pin())")
    if !roots.isEmpty {
      print("warning: SIMULATED evidence is accepted; secrets are not protected by hardware")
    }
  }

  /// Whether an earlier `init` was broken off, whose files are then replaced.
  private var isResumed: Bool {
    FileManager.default.fileExists(atPath: option.folder.unfinished)
  }

  /// Makes the folder and notes that it is not finished, where there is nothing yet.
  private func begin(_ folder: BrokerFolder) throws {
    let products = [
      folder.configuration, folder.tokenKey, folder.administratorKey,
      "\(folder.administrators)/admin.pem", folder.certificate, folder.certificateKey,
      folder.database,
    ]
    for path in products where !isResumed && FileManager.default.fileExists(atPath: path) {
      throw CommandError("\(path): exists already and is not replaced")
    }
    for path in [folder.path, folder.masterKeys, folder.administrators, folder.collateral] {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
    if !isResumed { try PrivateFile.write([], to: folder.unfinished) }
  }

  private func makeStore() async throws {
    let store = try await option.store(creates: true)
    if try await store.policy() == nil {
      let policy = try StoredPolicy(yaml: "version: 1\nrules: []\n") { _ in nil }
      try await option.broker(over: store) { _ in }.installPolicy(
        policy, by: FolderOption.localName)
    }
  }

  private func acceptingSimulation(_ roots: [String], _ yaml: String) throws -> String {
    var yaml = yaml.replacingOccurrences(of: "Evidence: false", with: "Evidence: true")
    // No vendor's service knows of simulated evidence.
    yaml = yaml.replacingOccurrences(of: "amdService: vendor\nintelService: vendor\n", with: "")
    yaml += "simulatedRoots:\n"
    for (index, root) in roots.enumerated() {
      let name = "simulated-root-\(index + 1).der"
      try write(Array(try readInput(root)), to: option.folder.file(name))
      yaml += "  - \(name)\n"
    }
    return yaml
  }

  // For evidence that brings no certificates; which line the vendor pretends to make is left open.
  private func isAMD(_ vendor: String) -> Bool {
    FileManager.default.fileExists(atPath: vendor + "/ark.der")
  }

  private func copyCollateral(ofAMD vendor: String) throws {
    for product in SNPProduct.allCases {
      let files = [CollateralBundle.File.ark, .ask, .vcek, .revocationList].map(\.rawValue)
      try copy(files, from: vendor, to: "snp-\(product)")
    }
  }

  /// What a run with `--evidence` left there for each kind of TEE.
  private func copyCollateral(ofIntel vendor: String) throws {
    for tee in [TEEKind.tdx, .sgx].map(\.rawValue) {
      let folder = "\(vendor)/collateral/\(tee)"
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      try copy(names, from: folder, to: tee)
    }
  }

  private func copy(_ files: [String], from folder: String, to bundle: String) throws {
    let bundle = "\(option.folder.collateral)/\(bundle)"
    try FileManager.default.createDirectory(
      atPath: bundle, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    for file in files {
      try write(Array(try readInput("\(folder)/\(file)")), to: "\(bundle)/\(file)")
    }
  }

  private func write(_ text: String, to path: String) throws {
    try write(Array(text.utf8), to: path)
  }

  private func write(_ content: [UInt8], to path: String) throws {
    // What `begin` did not find is that init's own.
    if isResumed { try? FileManager.default.removeItem(atPath: path) }
    try PrivateFile.write(content, to: path)
  }

  private func makeCertificate(_ folder: BrokerFolder) throws {
    if let certificate, let certificateKey {
      for (from, to) in [
        (certificate, folder.certificate), (certificateKey, folder.certificateKey),
      ] {
        guard let content = FileManager.default.contents(atPath: from) else {
          throw CommandError("\(from): cannot be read")
        }
        try write(Array(content), to: to)
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
