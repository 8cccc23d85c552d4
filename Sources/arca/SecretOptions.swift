import ArcaBytes
import ArcaManifest
import ArcaManifestText
import ArgumentParser

/// The options that name a key broker and what the guest gets from it; part of the manifest.
struct SecretOptions: ParsableArguments {
  @Option(help: "The owner's key broker, https://HOST[:PORT].")
  var keyBroker: String?

  @Option(
    help: ArgumentHelp(
      "The SHA-256 of a key that the broker proves in TLS, as `arca-kbs pin` prints it.",
      valueName: "hex"))
  var keyBrokerPin: [String] = []

  @Option(
    help: ArgumentHelp(
      "Give the workload a resource of the broker as a file or a variable.",
      valueName: "kbs:///a/b/c:/PATH[:mode=0400,uid=0,gid=0] | kbs:///a/b/c:NAME"))
  var secret: [String] = []

  var isEmpty: Bool { keyBroker == nil && keyBrokerPin.isEmpty && secret.isEmpty }

  /// Adds what the options say.
  func apply(to options: inout ManifestOptions) throws {
    guard !isEmpty else { return }
    guard let keyBroker, !keyBrokerPin.isEmpty else {
      throw ValidationError("--key-broker and --key-broker-pin go together, and with --secret")
    }
    let pins = try keyBrokerPin.map { text in
      guard let digest = Hex.decode(text), digest.count == 32 else {
        throw ValidationError("--key-broker-pin \(text): expected 64 hexadecimal digits")
      }
      return digest
    }
    options.keyBroker = KeyBrokerAccess(url: keyBroker, publicKeys: pins)
    options.secrets = try secret.map(Self.secret)
  }

  private static func secret(_ text: String) throws -> Secret {
    let fault = ValidationError(
      "--secret \(text): expected kbs:///REPOSITORY/TYPE/TAG, a colon, and an absolute path "
        + "(with :mode=OCTAL,uid=N,gid=N) or the name of a variable")
    let scheme = "kbs:"
    guard text.hasPrefix(scheme) else { throw fault }
    let parts = text.dropFirst(scheme.count).split(
      separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count >= 2 else { throw fault }
    let resource = scheme + parts[0]
    guard parts[1].hasPrefix("/") else {
      guard parts.count == 2, !parts[1].isEmpty else { throw fault }
      return Secret(resource: resource, target: .variable(String(parts[1])))
    }
    var (mode, uid, gid): (UInt32, UInt32, UInt32) = (0o400, 0, 0)
    for option in parts.dropFirst(2).first?.split(separator: ",") ?? [] {
      let pair = option.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, let value = UInt32(pair[1], radix: pair[0] == "mode" ? 8 : 10) else {
        throw fault
      }
      switch pair[0] {
      case "mode": mode = value
      case "uid": uid = value
      case "gid": gid = value
      default: throw fault
      }
    }
    return Secret(
      resource: resource, target: .file(path: String(parts[1]), mode: mode, uid: uid, gid: gid))
  }
}
