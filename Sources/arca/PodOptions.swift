import ArcaManifestText
import ArgumentParser

/// The options that join a workload's `localhost` to a pod's.
struct PodOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A container of the pod, and the ports of the pod's localhost that it serves; all of them, "
        + "in the order of the annotation dev.arca.pod.", valueName: "name[=port,port]"))
  var podMember: [String] = []

  @Option(help: "Which of the pod's members the workload is.")
  var podName: String?

  @Option(
    help: ArgumentHelp(
      "The key broker's resource of at least 32 bytes from which the members derive WireGuard "
        + "keys; without it, they speak in clear.", valueName: "kbs:///a/b/c"))
  var podKey: String?

  var isEmpty: Bool { podMember.isEmpty && podName == nil && podKey == nil }

  /// Adds what the options say.
  func apply(to options: inout ManifestOptions) throws {
    guard !isEmpty else { return }
    guard let podName, !podMember.isEmpty else {
      throw ValidationError("--pod-member and --pod-name go together, and with --pod-key")
    }
    try options.setPod(members: podMember, name: podName, key: podKey)
  }
}
