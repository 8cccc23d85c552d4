import ArcaManifest

/// What an image's own configuration says about how to run it (OCI image-spec, config.md).
public struct ImageDefaults: Sendable {
  /// `Entrypoint`.
  public var entrypoint: [String]
  /// `Cmd`.
  public var cmd: [String]
  /// `Env`, `NAME=value` each.
  public var env: [String]
  /// `WorkingDir`, or empty.
  public var workingDir: String
  /// `User`: `user[:group]`, names or numbers, or empty.
  public var user: String
  /// The bytes of the image's /etc/passwd, or none.
  public var passwd: [UInt8]
  /// The bytes of the image's /etc/group, or none.
  public var group: [UInt8]

  /// Defaults of an image; everything that it does not say is empty.
  public init(
    entrypoint: [String] = [], cmd: [String] = [], env: [String] = [], workingDir: String = "",
    user: String = "", passwd: [UInt8] = [], group: [UInt8] = []
  ) {
    self.entrypoint = entrypoint
    self.cmd = cmd
    self.env = env
    self.workingDir = workingDir
    self.user = user
    self.passwd = passwd
    self.group = group
  }
}

/// What the owner changes about a derived manifest; the options of `arca run` and `arca measure`.
public struct ManifestOptions: Sendable {
  /// The size of the writable overlay unless said otherwise, bytes.
  public static let writableBytesDefault: UInt64 = 256 << 20
  /// The host name unless said otherwise; fixed, so that the digest is.
  public static let hostnameDefault = "arca"
  /// The search path of an image that sets none.
  public static let pathDefault =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  /// What an engine writes for each container; untrusted, as the network that it serves.
  public static let hostWrittenFiles = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"]
  /// The capabilities unless said otherwise: the same that podman gives.
  public static let capabilitiesDefault: UInt64 = [
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "SETGID", "SETUID", "SETPCAP",
    "NET_BIND_SERVICE", "KILL", "SYS_CHROOT", "SETFCAP",
  ].reduce(0) { mask, name in mask | 1 << UInt64(LinuxNames.capability(name) ?? 0) }

  /// The limits of processes and of open files unless said otherwise: the same that podman gives.
  public static let limitsDefault = [LinuxNames.processes, LinuxNames.openFiles].map {
    ResourceLimit(resource: $0, soft: 1 << 20, hard: 1 << 20)
  }

  /// Arguments in place of the image's `Cmd`.
  public var command: [String] = []
  /// In place of the image's `Entrypoint` (its `Cmd` is then dropped, as podman does).
  public var entrypoint: [String]?
  /// `NAME=value`, added to or in place of the image's.
  public var env: [String] = []
  /// In place of the image's `User`.
  public var user: String?
  /// In place of the image's `WorkingDir`.
  public var workingDir: String?
  /// The host name.
  public var hostname: String?
  /// File systems in memory.
  public var mounts: [TemporaryMount] = []
  /// Whether the root takes no writes.
  public var readOnly = false
  /// The size of the writable overlay, bytes.
  public var writableBytes: UInt64?
  /// Capabilities to add, by name; `ALL` for all.
  public var addCapabilities: [String] = []
  /// Capabilities to drop before any is added, by name; `ALL` for all.
  public var dropCapabilities: [String] = []
  /// Resource limits; the last of each resource counts.
  public var rlimits: [ResourceLimit] = []
  /// Whether `execve` may never raise privileges.
  public var noNewPrivileges = false
  /// In place of SIGTERM.
  public var stopSignal: String?
  /// The owner's key broker.
  public var keyBroker: KeyBrokerAccess?
  /// What the key broker is asked for.
  public var secrets: [Secret] = []
  /// Whether the host may run further programs beside the workload.
  public var allowsExecute = false

  /// Where the host may share folders, absolute paths; a trailing `*` stands for any rest.
  public var shareFolders: [String] = []

  /// The pod whose `localhost` the workload shares.
  public var pod: Pod?

  /// Options that change nothing.
  public init() {}
}

/// Derives the manifest of an image that brings none, by fixed rules (docs/specification.md).
///
/// The same files and options give the same manifest on every machine.
public func deriveManifest(
  root: RootFilesystem, image: ImageDefaults, options: ManifestOptions
) throws(ManifestTextError) -> WorkloadManifest {
  let accounts = AccountFiles(passwd: image.passwd, group: image.group)
  let user = try accounts.resolve(options.user ?? image.user)
  var root = root
  root.writableBytes =
    options.readOnly ? 0 : options.writableBytes ?? ManifestOptions.writableBytesDefault
  let hostname = options.hostname ?? ManifestOptions.hostnameDefault
  // Engines send the image's own stop signal themselves, and no bundle tells it.
  let stopName = options.stopSignal ?? "SIGTERM"
  guard let stopSignal = LinuxNames.signal(stopName) else {
    throw ManifestTextError(.invalidOption, "stop signal: no signal is called `\(stopName)`")
  }
  let workingDir = options.workingDir ?? image.workingDir
  var process = WorkloadProcess(
    args: try arguments(image, options),
    env: environment(image.env, options.env, home: user.home, hostname: hostname),
    cwd: workingDir.isEmpty ? "/" : cleaned(workingDir), uid: user.uid, gid: user.gid,
    additionalGids: canonicalGroups(user.additionalGids, primary: user.gid),
    capabilities: try capabilities(options),
    rlimits: canonicalLimits(options.rlimits), noNewPrivileges: options.noNewPrivileges,
    stopSignal: stopSignal)
  // As with podman: root has what it may have anyway.
  if user.uid != 0 { process.ambientCapabilities = try added(options) }
  var manifest = WorkloadManifest(
    rootFilesystem: root, process: process, hostname: hostname, mounts: options.mounts,
    hostMay: HostRules(
      setHostname: true, attachTerminal: true, sendInput: true, receiveOutput: true))
  manifest.hostMay.writeFiles = ManifestOptions.hostWrittenFiles
  manifest.hostMay.execute = options.allowsExecute
  manifest.hostMay.shareFolders = options.shareFolders
  manifest.hasNetwork = true
  manifest.keyBroker = options.keyBroker
  manifest.secrets = options.secrets
  manifest.pod = options.pod
  return try ManifestText.check(manifest)
}

/// Groups in the one order that every engine's can be brought to.
private func canonicalGroups(_ groups: [UInt32], primary: UInt32) -> [UInt32] {
  Set(groups).subtracting([primary]).sorted()
}

/// Limits in one order, without those that a guest has where nothing is said.
private func canonicalLimits(_ limits: [ResourceLimit]) -> [ResourceLimit] {
  var last: [UInt8: ResourceLimit] = [:]
  for limit in limits { last[limit.resource] = limit }
  return last.values.filter { !ManifestOptions.limitsDefault.contains($0) }
    .sorted { $0.resource < $1.resource }
}

private func arguments(
  _ image: ImageDefaults, _ options: ManifestOptions
) throws(ManifestTextError) -> [String] {
  let entrypoint = options.entrypoint ?? image.entrypoint
  let usesImageCmd = options.command.isEmpty && options.entrypoint == nil
  let args = entrypoint + (usesImageCmd ? image.cmd : options.command)
  guard let program = args.first, !program.isEmpty else {
    throw ManifestTextError(
      .noCommand, "the image names neither Entrypoint nor Cmd: give a command after its name")
  }
  return args
}

private func environment(
  _ image: [String], _ added: [String], home: String, hostname: String
) -> [String] {
  var env: [String] = []
  let defaults = [
    ManifestOptions.pathDefault, "TERM=xterm", "HOME=" + home, "HOSTNAME=" + hostname,
  ]
  for variable in defaults + image + added + ["container=arca"] {
    let name = variable.prefix { $0 != "=" } + "="
    if let index = env.firstIndex(where: { $0.hasPrefix(name) }) {
      env[index] = variable
    } else {
      env.append(variable)
    }
  }
  // Engines add theirs in orders of their own.
  return env.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
}

private func capabilities(_ options: ManifestOptions) throws(ManifestTextError) -> UInt64 {
  var mask = ManifestOptions.capabilitiesDefault
  for name in options.dropCapabilities {
    mask &= name.uppercased() == "ALL" ? 0 : ~(1 << UInt64(try capabilityBit(name, "--cap-drop")))
  }
  return mask | (try added(options))
}

private func added(_ options: ManifestOptions) throws(ManifestTextError) -> UInt64 {
  let all: UInt64 = (1 << UInt64(LinuxNames.capabilities.count)) - 1
  let names = options.addCapabilities
  return names.contains { $0.uppercased() == "ALL" } ? all : try capabilityMask(names, "--cap-add")
}

/// `path` with empty and `.` parts taken out and `..` resolved as text.
private func cleaned(_ path: String) -> String {
  var parts: [Substring] = []
  for part in path.split(separator: "/") where part != "." {
    if part == ".." {
      _ = parts.popLast()
    } else {
      parts.append(part)
    }
  }
  return "/" + parts.joined(separator: "/")
}
