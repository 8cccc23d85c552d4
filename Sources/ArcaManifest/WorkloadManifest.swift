import ArcaBytes

/// What may run, decided by the workload's owner (design section 3; docs/specification.md,
/// "Workload manifest").
///
/// Its deterministic CBOR is what the guest is given; the SHA-256 of that is the workload digest.
public struct WorkloadManifest: ManifestPart, Sendable, Equatable {
  /// The version that this code reads and writes.
  public static let schemaVersion: UInt64 = 1
  /// The most bytes of an encoded manifest.
  public static let bytesMax = 1 << 20

  /// The verified root file system.
  public var rootFilesystem: RootFilesystem
  /// The program and how it runs.
  public var process: WorkloadProcess
  /// The host name inside, at most 64 bytes.
  public var hostname: Text
  /// File systems in memory besides the usual ones.
  public var mounts: [TemporaryMount]
  /// What the host may add or replace.
  public var hostMay: HostRules
  /// The key broker that the guest asks for what the fields below name, or nil.
  public var keyBroker: KeyBrokerAccess?
  /// What the key broker is asked for before the workload starts.
  public var secrets: [Secret] = []
  /// Persistent volumes, encrypted with keys of the key broker.
  public var volumes: [EncryptedVolume] = []
  /// Whether the guest takes over the network interfaces that the host gives it; untrusted.
  public var hasNetwork = false
  /// The pod whose `localhost` is joined, or nil; needs ``hasNetwork``.
  public var pod: Pod?
  /// What the workload may ask of the guest's local address.
  public var workloadMay = WorkloadRules()

  /// Reads a manifest, refusing what the schema does not know and values out of their bounds.
  public init(decoding encoded: [UInt8]) throws(ManifestError) {
    guard encoded.count <= Self.bytesMax else { throw ManifestError(.value, "manifest size") }
    self = try FieldReader.document(encoded, "manifest")
    guard keyBroker != nil || !needsKeyBroker else { throw ManifestError(.missing, "keyBroker") }
    guard pod == nil || hasNetwork else { throw ManifestError(.missing, "network") }
  }

  init(_ fields: inout FieldReader) throws(ManifestError) {
    guard try fields.unsigned("version") == Self.schemaVersion else {
      throw ManifestError(.version, "version")
    }
    rootFilesystem = try fields.part("rootFilesystem")
    process = try fields.part("process")
    hostname = try fields.text("hostname", max: 64)
    mounts = try fields.parts("mounts", max: 64)
    hostMay = try fields.part("hostMay")
    // These are left out where they ask for nothing: each manifest has one encoding.
    keyBroker = try fields.optionalPart("keyBroker")
    secrets = try fields.optionalParts("secrets", max: 64)
    volumes = try fields.optionalParts("volumes", max: 16)
    hasNetwork = try fields.optionalFlag("network")
    pod = try fields.optionalPart("pod")
    workloadMay = try fields.optionalPart("workloadMay") ?? WorkloadRules()
  }

  /// Whether a part of the manifest can only be had from a key broker.
  public var needsKeyBroker: Bool {
    rootFilesystem.encryptionKey != nil || !secrets.isEmpty || !volumes.isEmpty || pod?.key != nil
      || workloadMay.getToken || !workloadMay.getResources.isEmpty
  }
}

/// An EROFS image and its dm-verity tree on one block device, tree behind data, 4096-byte blocks.
public struct RootFilesystem: ManifestPart, Sendable, Equatable {
  /// The tree's root hash: SHA-256, 32 bytes.
  public var rootHash: [UInt8]
  /// The tree's salt, at most 256 bytes.
  public var salt: [UInt8]
  /// How many 4096-byte blocks the EROFS image has.
  public var dataBlocks: UInt64
  /// The 4096-byte block at which the tree's first level starts.
  public var hashStartBlock: UInt64
  /// The size of the overlay in memory that takes writes, bytes; 0 for a read-only root.
  public var writableBytes: UInt64
  /// The key broker's resource (`kbs:///repository/type/tag`) that holds the 64-byte key of
  /// aes-xts-plain64, where the image is encrypted beneath the tree; nil where it is not.
  public var encryptionKey: Text?

  init(_ fields: inout FieldReader) throws(ManifestError) {
    rootHash = try fields.bytes("rootHash", min: 32, max: 32)
    salt = try fields.bytes("salt", max: 256)
    // Sector numbers (blocks × 8) must stay within 63 bits.
    dataBlocks = try fields.unsigned("dataBlocks", min: 1, max: 1 << 40)
    hashStartBlock = try fields.unsigned("hashStartBlock", min: dataBlocks, max: 1 << 41)
    writableBytes = try fields.unsigned("writableBytes", max: 1 << 50)
    encryptionKey = try fields.optionalResource("encryptionKey")
  }
}

/// The workload's program, its identity and its limits.
public struct WorkloadProcess: ManifestPart, Sendable, Equatable {
  /// The argument vector; the first is the program, looked up in `PATH` unless it holds a slash.
  public var args: [Text]
  /// `NAME=value` each.
  public var env: [Text]
  /// Absolute working directory; made where it does not exist.
  public var cwd: Text
  /// User id.
  public var uid: UInt32
  /// Group id.
  public var gid: UInt32
  /// Supplementary group ids.
  public var additionalGids: [UInt32]
  /// File mode creation mask, at most 0o777.
  public var umask: UInt32
  /// Bounding, permitted and effective capabilities: bit n is capability n of linux/capability.h.
  public var capabilities: UInt64
  /// Those of them that a user other than root keeps through `execve` (capabilities(7), "ambient").
  public var ambientCapabilities: UInt64 = 0
  /// Resource limits; those not named are the kernel's, of open files and processes 1,048,576.
  public var rlimits: [ResourceLimit]
  /// Whether `execve` may never raise privileges.
  public var noNewPrivileges: Bool
  /// The signal that asks the workload to stop (Linux numbering).
  public var stopSignal: UInt8

  static let argsMax = 4096
  static let argBytesMax = 131_071

  init(_ fields: inout FieldReader) throws(ManifestError) {
    args = try fields.arguments("args")
    env = try fields.variables("env")
    cwd = try fields.text("cwd", max: 4095)
    guard isCleanAbsolutePath(cwd) else { throw fields.fault(.value, "cwd") }
    uid = try fields.id("uid")
    gid = try fields.id("gid")
    additionalGids = []
    for value in try fields.array("additionalGids", max: 65_536) {
      guard case .unsigned(let id) = value, id <= FieldReader.idMax else {
        throw fields.fault(.value, "additionalGids")
      }
      additionalGids.append(UInt32(id))
    }
    umask = try fields.unsigned("umask", max: 0o777)
    capabilities = try fields.unsigned("capabilities")
    if let ambient = fields.optional("ambientCapabilities") {
      guard case .unsigned(let bits) = ambient, bits > 0, bits & ~capabilities == 0 else {
        throw fields.fault(.value, "ambientCapabilities")
      }
      ambientCapabilities = bits
    }
    rlimits = try fields.parts("rlimits", max: 16)
    noNewPrivileges = try fields.bool("noNewPrivileges")
    stopSignal = try fields.unsigned("stopSignal", min: 1, max: 64)
  }
}

/// A soft and a hard limit (prlimit(2)).
public struct ResourceLimit: ManifestPart, Sendable, Equatable {
  /// The resource's number, 0 (`RLIMIT_CPU`) to 15 (`RLIMIT_RTTIME`), as in asm-generic/resource.h.
  public var resource: UInt8
  /// The soft limit; `UInt64.max` is no limit.
  public var soft: UInt64
  /// The hard limit, not below the soft one.
  public var hard: UInt64

  init(_ fields: inout FieldReader) throws(ManifestError) {
    resource = try fields.unsigned("resource", max: 15)
    soft = try fields.unsigned("soft")
    hard = try fields.unsigned("hard")
    guard soft <= hard else { throw fields.fault(.value, "soft") }
  }
}

/// A tmpfs inside the workload's root.
public struct TemporaryMount: ManifestPart, Sendable, Equatable {
  /// Absolute path, without `.` and `..` parts.
  public var destination: Text
  /// Its bound in bytes, more than 0.
  public var sizeBytes: UInt64
  /// Mode of its root directory, at most 0o7777.
  public var mode: UInt32

  init(_ fields: inout FieldReader) throws(ManifestError) {
    destination = try fields.cleanPath("destination")
    sizeBytes = try fields.unsigned("sizeBytes", min: 1, max: 1 << 50)
    mode = try fields.unsigned("mode", max: 0o7777)
  }
}

/// What the host may add or replace; everything defaults to no.
public struct HostRules: ManifestPart, Sendable, Equatable {
  /// Whether the host may replace the arguments.
  public var replaceArgs: Bool
  /// Names of environment variables that the host may set; a trailing `*` stands for any rest.
  public var setEnv: [Text]
  /// Whether the host may set the host name.
  public var setHostname: Bool
  /// Whether the workload may be given a terminal.
  public var attachTerminal: Bool
  /// Whether the host's standard input reaches the workload.
  public var sendInput: Bool
  /// Whether the workload's output reaches the host; otherwise it is dropped.
  public var receiveOutput: Bool
  /// Whether the host may run further programs beside the workload.
  public var execute = false
  /// Absolute paths of files that the host may write before the start, as untrusted input; a
  /// trailing `*` stands for any rest.
  public var writeFiles: [Text] = []
  /// Absolute paths at which the host may share folders of its own, untrusted.
  public var shareFolders: [Text] = []

  init(_ fields: inout FieldReader) throws(ManifestError) {
    replaceArgs = try fields.bool("replaceArgs")
    setEnv = try fields.texts("setEnv", max: 1024, bytesMax: 1024)
    setHostname = try fields.bool("setHostname")
    attachTerminal = try fields.bool("attachTerminal")
    sendInput = try fields.bool("sendInput")
    receiveOutput = try fields.bool("receiveOutput")
    execute = try fields.optionalFlag("execute")
    writeFiles = try fields.optionalPaths("writeFiles")
    shareFolders = try fields.optionalPaths("shareFolders")
  }
}
