/// Copies an image from wherever skopeo reaches into an OCI image layout.
enum SkopeoSource {
  /// Copies `reference` into the new folder `directory`; skopeo's own progress goes to standard
  /// error if `isQuiet` is false.
  static func copy(_ reference: String, to directory: String, isQuiet: Bool)
    throws(ImageError)
  {
    var arguments = [
      "--override-os", "linux", "--override-arch", "amd64", "copy", reference, "oci:\(directory)",
    ]
    if isQuiet { arguments.append("--quiet") }
    let result = try ChildProcess.run("skopeo", arguments, showsOutput: !isQuiet)
    guard result.status == 0 else {
      throw ImageError(
        .toolFailed, "skopeo cannot copy \(reference): \(result.errorText)")
    }
  }
}
