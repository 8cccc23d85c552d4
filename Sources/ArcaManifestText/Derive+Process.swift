import ArcaManifest

/// A process as an engine describes it in a bundle, before what engines add is taken out.
public struct EngineProcess: Sendable {
  /// The argument vector.
  public var args: [String] = []
  /// `NAME=value` each.
  public var env: [String] = []
  /// The working directory.
  public var cwd = "/"
  /// User id.
  public var uid: UInt32 = 0
  /// Group id.
  public var gid: UInt32 = 0
  /// Supplementary group ids.
  public var additionalGids: [UInt32] = []
  /// File mode creation mask.
  public var umask: UInt32 = 0o022
  /// The bounding set of capabilities, by name; nil for the default.
  public var capabilities: [String]?
  /// Those of them that another user than root keeps, by name.
  public var ambientCapabilities: [String] = []
  /// Its limits, with those that the engine adds by itself.
  public var rlimits: [ResourceLimit] = []
  /// The limits of the runtime's own process, which podman's are made from.
  public var ownLimits: [ResourceLimit] = []
  /// The host name that the engine gives, which it also puts into `HOSTNAME`.
  public var hostname: String?

  /// A process that runs nothing yet.
  public init() {}

  /// The limits that somebody asked for.
  ///
  /// podman always says how many processes and open files there may be: 1,048,576 each, or as many
  /// as its own process where that may have fewer. containerd allows 1,024 open files and says no
  /// more.
  var askedLimits: [ResourceLimit] {
    let resources = Set(rlimits.map(\.resource))
    let isPodmans = resources.isSuperset(of: [LinuxNames.processes, LinuxNames.openFiles])
    return rlimits.filter { limit in
      if isPodmans, let own = ownLimits.first(where: { $0.resource == limit.resource }) {
        // podman raises its own soft limit as far as it may, before it starts others.
        let softs = [own.soft, own.hard].map { min($0, Self.podmansLimitMax) }
        return limit.hard != min(own.hard, Self.podmansLimitMax) || !softs.contains(limit.soft)
      }
      return isPodmans || limit != Self.containerdsLimit
    }
  }

  private static let podmansLimitMax: UInt64 = 1 << 20
  private static let containerdsLimit = ResourceLimit(
    resource: LinuxNames.openFiles, soft: 1024, hard: 1024)
}

extension ManifestOptions {
  /// What engines' default sets have beyond Arca's; they mean nothing without an engine's devices.
  static let engineCapabilities: UInt64 = ["MKNOD", "NET_RAW", "AUDIT_WRITE"].reduce(0) {
    $0 | 1 << UInt64(LinuxNames.capability($1) ?? 0)
  }
}

/// Derives the manifest that ``deriveManifest(root:image:options:)`` gives for the image and the
/// options that an engine made `process` of (docs/specification.md, "Derivation").
public func deriveManifest(
  root: RootFilesystem, process: EngineProcess, passwd: [UInt8], options: ManifestOptions
) throws(ManifestTextError) -> WorkloadManifest {
  var options = options
  options.command = []
  options.entrypoint = nil
  options.rlimits = process.askedLimits
  let engineHostname = process.hostname.map { "HOSTNAME=" + $0 }
  let image = ImageDefaults(
    cmd: process.args, env: process.env.filter { $0 != engineHostname && $0.contains("=") },
    workingDir: process.cwd, user: "\(process.uid):\(process.gid)", passwd: passwd)
  var manifest = try deriveManifest(root: root, image: image, options: options)
  manifest.process.uid = process.uid
  manifest.process.gid = process.gid
  manifest.process.additionalGids =
    Set(process.additionalGids).subtracting([process.gid]).sorted()
  manifest.process.umask = process.umask
  if let names = process.capabilities {
    var mask = try capabilityMask(names, "process.capabilities")
    let ambient = try capabilityMask(process.ambientCapabilities, "process.capabilities.ambient")
    let all: UInt64 = (1 << UInt64(LinuxNames.capabilities.count)) - 1
    if mask & ManifestOptions.engineCapabilities == ManifestOptions.engineCapabilities, mask != all
    {
      mask &= ~ManifestOptions.engineCapabilities | ambient
    }
    manifest.process.capabilities = mask
    manifest.process.ambientCapabilities = ambient & mask
  }
  return try ManifestText.check(manifest)
}
