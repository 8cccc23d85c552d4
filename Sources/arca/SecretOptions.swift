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
    try options.setKeyBroker(url: keyBroker, pins: keyBrokerPin, secrets: secret)
  }
}
