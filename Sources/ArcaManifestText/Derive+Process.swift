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
  /// The host name that the engine gives, which it also puts into `HOSTNAME`.
  public var hostname: String?

  /// A process that runs nothing yet.
  public init() {}
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
    var mask: UInt64 = 0
    for name in names { mask |= 1 << UInt64(try capabilityBit(name, "process.capabilities")) }
    let all: UInt64 = (1 << UInt64(LinuxNames.capabilities.count)) - 1
    if mask & ManifestOptions.engineCapabilities == ManifestOptions.engineCapabilities, mask != all
    {
      mask &= ~ManifestOptions.engineCapabilities
    }
    manifest.process.capabilities = mask
  }
  return try ManifestText.check(manifest)
}
