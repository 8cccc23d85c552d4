import ArcaImage
import ArgumentParser

/// The options that demand signatures of an image; it is then fetched and checked anew.
struct SignatureOptions: ParsableArguments {
  @Option(help: "Accept the image only with a signature of cosign's by this public key (PEM).")
  var signatureKey: [String] = []

  @Option(help: "Accept the image only if skopeo finds it signed by this containers-policy.json.")
  var signaturePolicy: String?

  @Option(help: "The folder that says where registries keep signatures (containers-registries.d).")
  var signatureRegistries: String?

  func validate() throws {
    guard signaturePolicy != nil || signatureRegistries == nil else {
      throw ValidationError("--signature-registries: expected --signature-policy beside it")
    }
    guard signaturePolicy == nil || signatureKey.isEmpty else {
      throw ValidationError("--signature-key and --signature-policy: expected one of them")
    }
  }

  /// What the options demand, or nil.
  var rules: SignatureRules? {
    if !signatureKey.isEmpty { return .cosign(keys: signatureKey) }
    return signaturePolicy.map { .policy($0, registries: signatureRegistries) }
  }
}
