import ArcaBytes
import ArcaManifest

/// The manifest as people write it in YAML or JSON: names where the CBOR has numbers, and defaults.
///
/// Fields that may be left out are optional here; ``manifest()`` gives them their defaults, and the
/// CBOR schema of ArcaManifest checks every bound, so that there is one place that does.
struct ManifestDocument: Codable {
  var version: UInt64
  var rootFilesystem: Root
  var process: Process
  var hostname: String?
  var mounts: [Mount]?
  var hostMay: Rules?
  var keyBroker: KeyBroker?
  var secrets: [SecretEntry]?
  var volumes: [Volume]?
  var network: Bool?
  var pod: PodEntry?
  var workloadMay: Permissions?

  struct Root: Codable {
    var rootHash: String
    var salt: String
    var dataBlocks: UInt64
    var hashStartBlock: UInt64
    var writableBytes: UInt64?
    var encryptionKey: String?
  }

  struct Process: Codable {
    var args: [String]
    var env: [String]?
    var cwd: String?
    var uid: UInt32?
    var gid: UInt32?
    var additionalGids: [UInt32]?
    var umask: String?
    var capabilities: [String]?
    var ambientCapabilities: [String]?
    var rlimits: [Limit]?
    var noNewPrivileges: Bool?
    var stopSignal: String?
  }

  struct Limit: Codable {
    var type: String
    var soft: Bound
    var hard: Bound
  }

  /// A number of bytes, seconds or things; `unlimited` for none.
  enum Bound: Codable {
    case value(UInt64)

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(UInt64.self) {
        self = .value(number)
      } else if try container.decode(String.self) == "unlimited" {
        self = .value(.max)
      } else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "expected a number or `unlimited`")
      }
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      guard case .value(let number) = self else { return }
      if number == .max {
        try container.encode("unlimited")
      } else {
        try container.encode(number)
      }
    }

    var number: UInt64 {
      switch self {
      case .value(let number): number
      }
    }
  }

  struct Mount: Codable {
    var type: String
    var destination: String
    var sizeBytes: UInt64
    var mode: String?
  }

  struct Rules: Codable {
    var replaceArgs: Bool?
    var setEnv: [String]?
    var setHostname: Bool?
    var attachTerminal: Bool?
    var sendInput: Bool?
    var receiveOutput: Bool?
    var execute: Bool?
    var writeFiles: [String]?
    var shareFolders: [String]?
  }
}

extension ManifestDocument {
  init(_ manifest: WorkloadManifest) {
    let root = manifest.rootFilesystem
    let process = manifest.process
    version = WorkloadManifest.schemaVersion
    rootFilesystem = Root(
      rootHash: Hex.encode(root.rootHash), salt: Hex.encode(root.salt),
      dataBlocks: root.dataBlocks, hashStartBlock: root.hashStartBlock,
      writableBytes: root.writableBytes, encryptionKey: root.encryptionKey)
    self.process = Process(
      args: process.args, env: process.env, cwd: process.cwd, uid: process.uid, gid: process.gid,
      additionalGids: process.additionalGids, umask: octal(process.umask),
      capabilities: LinuxNames.capabilityNames(process.capabilities),
      ambientCapabilities: process.ambientCapabilities == 0
        ? nil : LinuxNames.capabilityNames(process.ambientCapabilities),
      rlimits: process.rlimits.map {
        Limit(
          type: "RLIMIT_" + LinuxNames.rlimits[Int($0.resource)], soft: .value($0.soft),
          hard: .value($0.hard))
      },
      noNewPrivileges: process.noNewPrivileges,
      stopSignal: LinuxNames.signalName(process.stopSignal))
    hostname = manifest.hostname
    mounts = manifest.mounts.map {
      Mount(
        type: "tmpfs", destination: $0.destination, sizeBytes: $0.sizeBytes, mode: octal($0.mode))
    }
    let rules = manifest.hostMay
    hostMay = Rules(
      replaceArgs: rules.replaceArgs, setEnv: rules.setEnv, setHostname: rules.setHostname,
      attachTerminal: rules.attachTerminal, sendInput: rules.sendInput,
      receiveOutput: rules.receiveOutput, execute: rules.execute ? true : nil,
      writeFiles: rules.writeFiles.isEmpty ? nil : rules.writeFiles,
      shareFolders: rules.shareFolders.isEmpty ? nil : rules.shareFolders)
    describeSecrets(manifest)
  }

  /// The manifest that the document describes; what is left out takes its default.
  func manifest() throws(ManifestTextError) -> WorkloadManifest {
    guard version == WorkloadManifest.schemaVersion else {
      throw ManifestTextError(
        .invalidField,
        "version: found \(version), expected \(WorkloadManifest.schemaVersion)")
    }
    let rules = hostMay ?? Rules()
    var manifest = WorkloadManifest(
      rootFilesystem: RootFilesystem(
        rootHash: try hex(rootFilesystem.rootHash, "rootFilesystem.rootHash"),
        salt: try hex(rootFilesystem.salt, "rootFilesystem.salt"),
        dataBlocks: rootFilesystem.dataBlocks, hashStartBlock: rootFilesystem.hashStartBlock,
        writableBytes: rootFilesystem.writableBytes ?? ManifestOptions.writableBytesDefault),
      process: try workloadProcess(), hostname: hostname ?? ManifestOptions.hostnameDefault,
      mounts: try temporaryMounts(),
      hostMay: HostRules(
        replaceArgs: rules.replaceArgs ?? false, setEnv: rules.setEnv ?? [],
        setHostname: rules.setHostname ?? false, attachTerminal: rules.attachTerminal ?? false,
        sendInput: rules.sendInput ?? false, receiveOutput: rules.receiveOutput ?? false))
    manifest.rootFilesystem.encryptionKey = rootFilesystem.encryptionKey
    manifest.hostMay.execute = rules.execute ?? false
    manifest.hostMay.writeFiles = rules.writeFiles ?? []
    manifest.hostMay.shareFolders = rules.shareFolders ?? []
    try takeSecrets(into: &manifest)
    return manifest
  }

  private func workloadProcess() throws(ManifestTextError) -> WorkloadProcess {
    var limits: [ResourceLimit] = []
    for limit in process.rlimits ?? [] {
      guard let number = LinuxNames.rlimit(limit.type) else {
        throw ManifestTextError(
          .invalidField, "process.rlimits: no limit is called `\(limit.type)`")
      }
      limits.append(
        ResourceLimit(resource: number, soft: limit.soft.number, hard: limit.hard.number))
    }
    let mask = try process.capabilities.map { names throws(ManifestTextError) in
      try capabilityMask(names, "process.capabilities")
    }
    let stopName = process.stopSignal ?? "SIGTERM"
    guard let stopSignal = LinuxNames.signal(stopName) else {
      throw ManifestTextError(
        .invalidField, "process.stopSignal: no signal is called `\(stopName)`")
    }
    var result = WorkloadProcess(
      args: process.args, env: process.env ?? [], cwd: process.cwd ?? "/", uid: process.uid ?? 0,
      gid: process.gid ?? 0, additionalGids: process.additionalGids ?? [],
      umask: try mode(process.umask ?? "022", "process.umask"),
      capabilities: mask ?? ManifestOptions.capabilitiesDefault, rlimits: limits,
      noNewPrivileges: process.noNewPrivileges ?? true, stopSignal: stopSignal)
    result.ambientCapabilities = try capabilityMask(
      process.ambientCapabilities ?? [], "process.ambientCapabilities")
    return result
  }

  private func temporaryMounts() throws(ManifestTextError) -> [TemporaryMount] {
    var result: [TemporaryMount] = []
    for mount in mounts ?? [] {
      guard mount.type == "tmpfs" else {
        throw ManifestTextError(
          .invalidField, "mounts: found type `\(mount.type)`, expected `tmpfs`")
      }
      result.append(
        TemporaryMount(
          destination: mount.destination, sizeBytes: mount.sizeBytes,
          mode: try mode(mount.mode ?? "1777", "mounts.mode")))
    }
    return result
  }
}

func capabilityMask(_ names: [String], _ field: String) throws(ManifestTextError) -> UInt64 {
  var mask: UInt64 = 0
  for name in names { mask |= 1 << UInt64(try capabilityBit(name, field)) }
  return mask
}

func capabilityBit(_ name: String, _ field: String) throws(ManifestTextError) -> Int {
  guard let bit = LinuxNames.capability(name) else {
    throw ManifestTextError(.invalidField, "\(field): no capability is called `\(name)`")
  }
  return bit
}

func octal(_ value: UInt32) -> String {
  let digits = String(value, radix: 8)
  return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

func mode(_ text: String, _ field: String) throws(ManifestTextError) -> UInt32 {
  guard let value = UInt32(text, radix: 8) else {
    throw ManifestTextError(.invalidField, "\(field): found `\(text)`, expected octal digits")
  }
  return value
}

func hex(_ text: String, _ field: String) throws(ManifestTextError) -> [UInt8] {
  guard let bytes = Hex.decode(text) else {
    throw ManifestTextError(.invalidField, "\(field): found `\(text)`, expected hexadecimal digits")
  }
  return bytes
}
