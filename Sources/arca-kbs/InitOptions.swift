import ArcaKeyBroker
import ArgumentParser
import Foundation

/// Where etcd is, for `arca-kbs init --store etcd`.
struct EtcdOptions: ParsableArguments {
  @Option(help: "An address of etcd, https://NAME:PORT; may be given several times.")
  var etcdEndpoint: [String] = []

  @Option(help: "What every key in etcd starts with.")
  var etcdPrefix = "/arca-kbs"

  @Option(help: "The authority's certificate that etcd's chains to, PEM.")
  var etcdAuthority: String?

  @Option(help: "The broker's certificate for etcd, PEM.")
  var etcdCertificate: String?

  @Option(help: "The private key of --etcd-certificate, PEM, mode 0600.")
  var etcdCertificateKey: String?

  func validate(isUsed: Bool) throws {
    let files = [etcdAuthority, etcdCertificate, etcdCertificateKey]
    if isUsed {
      guard !etcdEndpoint.isEmpty, files.allSatisfy({ $0 != nil }) else {
        throw ValidationError(
          "--store etcd needs --etcd-endpoint, --etcd-authority, --etcd-certificate and "
            + "--etcd-certificate-key")
      }
    } else if !etcdEndpoint.isEmpty || files.contains(where: { $0 != nil }) {
      throw ValidationError("--etcd-… options go with --store etcd")
    }
  }

  /// The configuration's part; files by their full path.
  var yaml: String {
    """
    etcd:
      endpoints: [\(etcdEndpoint.map(quoted).joined(separator: ", "))]
      prefix: \(quoted(etcdPrefix))
      authority: \(quoted(full(etcdAuthority)))
      certificate: \(quoted(full(etcdCertificate)))
      certificateKey: \(quoted(full(etcdCertificateKey)))

    """
  }
}

/// The token that holds the master keys, for `arca-kbs init`.
struct TokenOptions: ParsableArguments {
  @Option(help: "The token's PKCS#11 module, a shared library.")
  var pkcs11Module: String?

  @Option(help: "The token's label.")
  var pkcs11Token: String?

  @Option(help: "The file with the token's user PIN, mode 0600.")
  var pinFile: String?

  func isUsed() throws -> Bool {
    let given = [pkcs11Module, pkcs11Token, pinFile].filter { $0 != nil }.count
    guard given == 0 || given == 3 else {
      throw ValidationError("--pkcs11-module, --pkcs11-token and --pin-file go together")
    }
    return given == 3
  }

  /// The configuration's part; files by their full path.
  var yaml: String {
    """
    pkcs11:
      module: \(quoted(full(pkcs11Module)))
      token: \(quoted(pkcs11Token ?? ""))
      pinFile: \(quoted(full(pinFile)))

    """
  }
}

private func full(_ path: String?) -> String { URL(fileURLWithPath: path ?? "").path }

// A YAML text between double quotes.
private func quoted(_ text: String) -> String { StrictJSON.string(text).compact }
