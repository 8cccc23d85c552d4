import ArcaImage
import ArcaManifest
import ArcaManifestText
import ArcaOCI
import ArcaTEE
import Foundation

/// What a bundle means for a TEE: the manifest, and what the host adds under its rules.
struct BundleWorkload {
  let manifest: WorkloadManifest
  let input: HostInput
  /// The folders that the host input's are, in its order.
  let folders: [SharedFolder]

  init(_ spec: BundleSpec, image: PreparedImage) throws(RuntimeError) {
    guard let process = spec.process, let args = process.args, !args.isEmpty else {
      throw RuntimeError(.unsupported, "process.args: a TEE is made for one program, found none")
    }
    try Self.refuseImpossible(spec)
    let owners = try Self.ownersManifest(spec)
    var rules = owners?.hostMay ?? HostRules()
    if owners == nil { rules.shareFolders = spec.words("dev.arca.share-folders") }
    let mounts = try BundleMounts(spec.mounts ?? [], rules: rules, isDerived: owners == nil)
    folders = mounts.folders.map(\.shared)
    let hostname = spec.nameOfHost
    var input = HostInput()
    if let owners {
      try image.check(owners)
      manifest = owners
      if args != owners.process.args { input.args = args }
      let known = Set(owners.process.env)
      input.env = (process.env ?? []).filter {
        !known.contains($0) && !Self.isEngines($0, hostname: hostname)
      }
    } else {
      manifest = try Self.derived(spec, process, args, image, mounts.temporary)
    }
    if let hostname, manifest.hostMay.setHostname { input.hostname = hostname }
    input.files = mounts.files.filter { file in
      // What engines write for every container is no request; a manifest may do without it.
      owners == nil || owners?.hostMay.writeFiles.isEmpty == false
        || !ManifestOptions.hostWrittenFiles.contains(file.path)
    }
    input.folders = mounts.folders.map {
      HostFolder(path: $0.path, isReadOnly: $0.shared.isReadOnly)
    }
    if process.terminal == true {
      input.terminal = HostInput.TerminalSize(
        rows: process.consoleSize?.height ?? 24, columns: process.consoleSize?.width ?? 80)
    }
    do {
      _ = try manifest.merged(with: input)
    } catch {
      throw RuntimeError(.manifest, ManifestText.describe(error))
    }
    self.input = input
  }

  private static func derived(
    _ spec: BundleSpec, _ process: BundleSpec.Process, _ args: [String], _ image: PreparedImage,
    _ temporary: [TemporaryMount]
  ) throws(RuntimeError) -> WorkloadManifest {
    var given = EngineProcess()
    given.args = args
    given.env = process.env ?? []
    given.cwd = process.cwd
    given.uid = process.user?.uid ?? 0
    given.gid = process.user?.gid ?? 0
    given.additionalGids = process.user?.additionalGids ?? []
    given.umask = process.user?.umask ?? 0o022
    given.capabilities = process.capabilities.map {
      ($0.bounding ?? []).filter { LinuxNames.capability($0) != nil }
    }
    given.ambientCapabilities = (process.capabilities?.ambient ?? []).filter {
      LinuxNames.capability($0) != nil
    }
    for limit in process.rlimits ?? [] {
      guard let number = LinuxNames.rlimit(limit.type) else {
        throw RuntimeError(.usage, "process.rlimits: no limit is called \(limit.type)")
      }
      given.rlimits.append(ResourceLimit(resource: number, soft: limit.soft, hard: limit.hard))
    }
    given.ownLimits = [LinuxNames.processes, LinuxNames.openFiles].map(ownLimit)
    given.hostname = spec.nameOfHost
    var options = ManifestOptions()
    options.readOnly = spec.root?.readonly ?? false
    options.noNewPrivileges = process.noNewPrivileges ?? false
    options.mounts = temporary
    options.shareFolders = spec.words("dev.arca.share-folders")
    options.allowsExecute = spec.annotations?["dev.arca.allow-exec"] == "true"
    do throws(ManifestTextError) {
      if let url = spec.annotations?["dev.arca.key-broker"] {
        try options.setKeyBroker(
          url: url, pins: spec.words("dev.arca.key-broker-pins"),
          secrets: spec.words("dev.arca.secrets"))
      }
      try join(spec, &options)
      return try deriveManifest(
        root: image.rootFilesystem, process: given, passwd: image.passwd, options: options)
    } catch {
      throw RuntimeError(.manifest, error.detail)
    }
  }

  /// Joins the pod of the annotation `dev.arca.pod`, where it lists this container.
  ///
  /// A pod's annotations are those of all of its containers, whose names Kubernetes' engines give.
  private static func join(
    _ spec: BundleSpec, _ options: inout ManifestOptions
  ) throws(ManifestTextError) {
    let members = spec.words("dev.arca.pod")
    guard !members.isEmpty else { return }
    let variable = "ARCA_POD_NAME="
    let names = ["io.kubernetes.cri.container-name", "io.kubernetes.container.name"]
    let name =
      spec.process?.env?.last { $0.hasPrefix(variable) }.map {
        String($0.dropFirst(variable.count))
      }
      ?? names.lazy.compactMap { spec.annotations?[$0] }.first
    guard let name else {
      throw ManifestTextError(
        .invalidOption,
        "annotation dev.arca.pod: the engine does not say which member this container is; "
          + "set the variable ARCA_POD_NAME in it")
    }
    guard members.contains(where: { $0 == name || $0.hasPrefix(name + "=") }) else { return }
    try options.setPod(
      members: members, name: name, key: spec.annotations?["dev.arca.pod-key"])
  }

  /// Whether an engine sets `variable` by itself, so that it is no request of anyone's.
  private static func isEngines(_ variable: String, hostname: String?) -> Bool {
    variable == "HOSTNAME=" + (hostname ?? "") || variable.hasPrefix("container=")
      || variable == "TERM=xterm" || !variable.contains("=")
  }

  /// The manifest of the annotation `dev.arca.manifest`: a path, or base64 of its text.
  private static func ownersManifest(_ spec: BundleSpec) throws(RuntimeError) -> WorkloadManifest? {
    guard let value = spec.annotations?["dev.arca.manifest"] else { return nil }
    for name in [
      "allow-exec", "share-folders", "key-broker", "key-broker-pins", "secrets", "pod", "pod-key",
    ]
    where spec.annotations?["dev.arca.\(name)"] != nil {
      throw RuntimeError(
        .manifest, "annotation dev.arca.\(name): the workload's manifest says that; change it there"
      )
    }
    do {
      if value.hasPrefix("/") {
        let text = try System.contents(value, max: 4 << 20)
        return try ManifestText.parse(String(decoding: text, as: UTF8.self))
      }
      guard let text = Data(base64Encoded: value) else {
        throw RuntimeError(
          .manifest, "annotation dev.arca.manifest: expected an absolute path or base64")
      }
      return try ManifestText.parse(String(decoding: text, as: UTF8.self))
    } catch let error as RuntimeError {
      throw error
    } catch let error as TEEError {
      throw RuntimeError(error, .manifest)
    } catch {
      throw RuntimeError(.manifest, "annotation dev.arca.manifest: \(error)")
    }
  }

  /// What no guest can have, whatever a manifest says (docs/oci-runtime.md).
  private static func refuseImpossible(_ spec: BundleSpec) throws(RuntimeError) {
    let namespaces = spec.linux?.namespaces ?? []
    // Docker names the host's namespace by a path, podman leaves it out.
    let own = fileStatus("/proc/self/ns/net")?.inode
    guard let network = namespaces.first(where: { $0.type == "network" }),
      network.path.flatMap({ fileStatus($0)?.inode }) != own || own == nil
    else {
      throw RuntimeError(
        .unsupported,
        "network: the host's own was asked for (--network host), but a guest has a kernel, and so "
          + "a network, of its own; use a bridge, or --network none")
    }
    try NamespacePaths.check(namespaces)
    guard !namespaces.contains(where: { $0.type == "user" }) else {
      throw RuntimeError(
        .unsupported,
        "namespaces: a user namespace was asked for; the guest has users of its own, and the outer "
          + "container no need of one")
    }
    if let device = spec.linux?.devices?.first(where: { $0.path != "/dev/fuse" }) {
      throw RuntimeError(
        .unsupported, "linux.devices: \(device.path): a device of the host's cannot be in a guest")
    }
    if let name = spec.linux?.sysctl?.keys.sorted().first(where: {
      !["net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"].contains($0)
    }) {
      throw RuntimeError(
        .unsupported, "linux.sysctl: \(name): settings of the guest's kernel are not the host's")
    }
    guard spec.hooks?["startContainer"] == nil else {
      throw RuntimeError(
        .unsupported,
        "hooks.startContainer: such a hook runs inside of the container, which is encrypted")
    }
  }
}

extension BundleSpec {
  /// The words of an annotation, between spaces; none where it is not there.
  fileprivate func words(_ annotation: String) -> [String] {
    (annotations?[annotation] ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
  }

  /// The host name; in a pod it is the sandbox's, of which the variable alone tells.
  fileprivate var nameOfHost: String? {
    if let hostname, !hostname.isEmpty { return hostname }
    let namespaces = linux?.namespaces ?? []
    guard namespaces.contains(where: { $0.type == "uts" && $0.path?.isEmpty == false }) else {
      return nil
    }
    let variable = process?.env?.first { $0.hasPrefix("HOSTNAME=") }
    return variable.map { String($0.dropFirst("HOSTNAME=".count)) }
  }
}

/// A bundle's limits as a guest has them.
struct BundleLimits {
  static let memoryMiBMin: Int64 = 96

  /// Guest memory, where the bundle limits it.
  let memoryMiB: Int?
  /// Virtual processors: as many as the quota lets run at once.
  let vcpus: Int

  init(_ spec: BundleSpec) throws(RuntimeError) {
    let resources = spec.linux?.resources
    if let limit = resources?["memory"]?["limit"]?.integer, limit > 0, limit < 1 << 60 {
      guard limit >> 20 >= Self.memoryMiBMin else {
        throw RuntimeError(
          .unsupported,
          "memory limit: \(limit >> 20) MiB, but a guest's kernel and a workload need at least "
            + "\(Self.memoryMiBMin) MiB")
      }
      memoryMiB = Int(min(limit >> 20, 1 << 20))
    } else {
      memoryMiB = nil
    }
    let quota = resources?["cpu"]?["quota"]?.integer ?? 0
    let period = resources?["cpu"]?["period"]?.integer ?? 100_000
    vcpus =
      quota > 0 && period > 0 ? Int(min(max((quota + period - 1) / period, 1), 255)) : 1
  }
}
