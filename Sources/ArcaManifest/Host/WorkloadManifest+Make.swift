// What hosts put together; a guest reads it alone, and is compiled without this file.

extension WorkloadManifest {
  /// A manifest of these parts.
  public init(
    rootFilesystem: RootFilesystem, process: WorkloadProcess, hostname: String,
    mounts: [TemporaryMount] = [], hostMay: HostRules = HostRules()
  ) {
    self.rootFilesystem = rootFilesystem
    self.process = process
    self.hostname = hostname
    self.mounts = mounts
    self.hostMay = hostMay
  }
}

extension RootFilesystem {
  /// A root file system of these parts.
  public init(
    rootHash: [UInt8], salt: [UInt8], dataBlocks: UInt64, hashStartBlock: UInt64,
    writableBytes: UInt64
  ) {
    self.rootHash = rootHash
    self.salt = salt
    self.dataBlocks = dataBlocks
    self.hashStartBlock = hashStartBlock
    self.writableBytes = writableBytes
  }
}

extension WorkloadProcess {
  /// A process of these parts.
  public init(
    args: [String], env: [String], cwd: String = "/", uid: UInt32 = 0, gid: UInt32 = 0,
    additionalGids: [UInt32] = [], umask: UInt32 = 0o022, capabilities: UInt64,
    rlimits: [ResourceLimit] = [], noNewPrivileges: Bool, stopSignal: UInt8 = 15
  ) {
    self.args = args
    self.env = env
    self.cwd = cwd
    self.uid = uid
    self.gid = gid
    self.additionalGids = additionalGids
    self.umask = umask
    self.capabilities = capabilities
    self.rlimits = rlimits
    self.noNewPrivileges = noNewPrivileges
    self.stopSignal = stopSignal
  }
}

extension ResourceLimit {
  /// Limits `resource`.
  public init(resource: UInt8, soft: UInt64, hard: UInt64) {
    self.resource = resource
    self.soft = soft
    self.hard = hard
  }
}

extension TemporaryMount {
  /// A tmpfs at `destination`.
  public init(destination: String, sizeBytes: UInt64, mode: UInt32 = 0o1777) {
    self.destination = destination
    self.sizeBytes = sizeBytes
    self.mode = mode
  }
}

extension HostRules {
  /// Rules that allow what is named.
  public init(
    replaceArgs: Bool = false, setEnv: [String] = [], setHostname: Bool = false,
    attachTerminal: Bool = false, sendInput: Bool = false, receiveOutput: Bool = false
  ) {
    self.replaceArgs = replaceArgs
    self.setEnv = setEnv
    self.setHostname = setHostname
    self.attachTerminal = attachTerminal
    self.sendInput = sendInput
    self.receiveOutput = receiveOutput
  }
}

extension KeyBrokerAccess {
  /// Access to the broker at `url`.
  public init(url: String, publicKeys: [[UInt8]]) {
    self.url = url
    self.publicKeys = publicKeys
  }
}

extension Secret {
  /// A secret that goes to `target`.
  public init(resource: String, target: Target) {
    self.resource = resource
    self.target = target
  }
}

extension EncryptedVolume {
  /// A volume `name` at `destination`.
  public init(name: String, destination: String, key: String, isReadOnly: Bool = false) {
    self.name = name
    self.destination = destination
    self.key = key
    self.isReadOnly = isReadOnly
  }
}

extension Pod {
  /// A pod of these parts.
  public init(place: Int, ports: [[UInt16]], key: String? = nil) {
    self.place = place
    self.ports = ports
    self.key = key
  }
}
