/// Which signatures an image must have.
public enum SignatureRules: Equatable, Sendable {
  /// What containers-policy.json(5) and containers-registries.d(5) describe, and skopeo decides:
  /// a file, and a folder or nil for the machine's.
  case policy(String, registries: String?)
  /// A signature of cosign's by any of the public keys in these files, PEM.
  case cosign(keys: [String])
}

/// Copies an image from wherever skopeo reaches into an OCI image layout.
enum SkopeoSource {
  /// Copies `reference` into the new folder `directory`; skopeo's own progress goes to standard
  /// error if `isQuiet` is false.
  static func copy(
    _ reference: String, to directory: String, isQuiet: Bool, signatures: SignatureRules? = nil
  ) throws(ImageError) {
    var arguments = ["--override-os", "linux", "--override-arch", "amd64"]
    if case .policy(let policy, let registries)? = signatures {
      arguments += ["--policy", policy]
      if let registries { arguments += ["--registries.d", registries] }
    }
    // The layout cannot hold signatures; they have been checked by then.
    arguments += ["copy", "--remove-signatures", reference, "oci:\(directory)"]
    if isQuiet { arguments.append("--quiet") }
    let result = try ChildProcess.run("skopeo", arguments, showsOutput: !isQuiet)
    guard result.status == 0 else {
      // skopeo's text is the only thing that tells a refused image from one that is not there.
      let isRefused = signatures != nil && result.errorText.contains("Source image rejected")
      throw ImageError(
        isRefused ? .signature : .toolFailed,
        "skopeo cannot copy \(reference): \(result.errorText)")
    }
  }

  /// Runs skopeo quietly; with `output`, what it prints goes to that new file.
  static func run(_ arguments: [String], output: String? = nil) throws(ImageError) {
    let result = try ChildProcess.run(
      "skopeo", ["--override-os", "linux", "--override-arch", "amd64"] + arguments,
      showsOutput: false, output: output)
    guard result.status == 0 else {
      throw ImageError(.toolFailed, "skopeo \(arguments[0]): \(result.errorText)")
    }
  }
}
